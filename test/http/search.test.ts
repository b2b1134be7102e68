/**
 * Searching the entries of an examination over HTTP. Witness: the same filter and order, worked out here in JavaScript over the records that were put in.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EntryRecord, entryRow } from '../../src/examine/entry-record.ts';
import { copyRows } from '../../src/store/copy.ts';
import { indexForSearch } from '../../src/store/search-index.ts';
import { transaction } from '../../src/store/transaction.ts';
import { openService, type Person, type TestService } from '../support/service.ts';

const names = [
  ...[
    'report.PDF',
    'Report.pdf',
    'r[1].txt',
    'IMG_2024Holiday.jpg',
    'HolidayPhoto2.JPG',
    '100%.txt',
    'a_b.txt',
    'aXb.txt',
    'back\\slash',
    '.bashrc',
  ],
  ...[
    'отчёт.doc',
    'ОТЧЁТ.doc',
    '写真.png',
    "O'Brien.txt",
    '"quoted".txt',
    'tab\there',
    'new\nline.txt',
    'x'.repeat(300),
    'archive.tar.gz',
    '*',
    'no-dot',
  ],
];
const times = [
  ...[
    '2024-02-29T12:34:56.789012345Z',
    '1969-12-31T23:59:59.999999999Z',
    '0000-01-01T00:00:00Z',
    '+012345-06-07T08:09:10Z',
    '-000001-12-31T00:00:00Z',
  ],
  ...['@99999999999999Z', '2024-02-29T12:34:56', '2024-02-29T12:34:56Z'],
];
// by hand: the same in seconds. GNU date -u -d '2024-02-29 12:34:56' +%s gives 1709210096; year 0 is 719,528 days before 1970 (proleptic calendar)
const seconds: Readonly<Record<string, bigint>> = {
  '2024-02-29T12:34:56.789012345Z': 1709210096789012345n,
  '1969-12-31T23:59:59.999999999Z': -1n,
  '0000-01-01T00:00:00Z': -719528n * 86400n * 1000000000n,
  '+012345-06-07T08:09:10Z': BigInt(Date.parse('+012345-06-07T08:09:10Z')) * 1000000n,
  '-000001-12-31T00:00:00Z': -719529n * 86400n * 1000000000n,
  '@99999999999999Z': 99999999999999n * 1000000000n,
  '2024-02-29T12:34:56': 1709210096n * 1000000000n,
  '2024-02-29T12:34:56Z': 1709210096n * 1000000000n,
};

function recordOf(index: number): EntryRecord {
  const name = names[index % names.length]!;
  const live = index % 7 !== 0;
  const kinds = ['modified', 'accessed', 'created'].slice(0, index % 4);
  return {
    locator: `image:/ext:${index}`,
    path: index % 3 === 0 ? `home/a/${name}` : `etc/${name}`,
    name,
    type: index % 5 === 0 ? 'directory' : 'file',
    size: (index * 37) % 11,
    allocated: { name: live, metadata: live },
    times: kinds.map((kind, nth) => {
      const time = times[(index * 3 + nth) % times.length]!;
      return { kind, time, zone: time.endsWith('Z') ? 'utc' : 'local-unknown', resolutionNs: 1 };
    }),
    ...(index % 2 === 0
      ? { mediaType: index % 4 === 0 ? 'image/jpeg' : 'text/plain', digests: { md5: String(index).padStart(32, '0') } }
      : {}),
    ...(index % 6 === 0 ? { facts: { 'exif.Make': 'Canon', 'exif.ISO': index, list: ['a', 'b'] } } : {}),
    ...(index % 9 === 0 ? { problems: ['read.bad-sector'] } : {}),
  };
}
const records = Array.from({ length: 260 }, (_, index) => recordOf(index));

let service: TestService;
let reader: Person;
const examinations: string[] = [];

async function examinationOf(exhibitId: string, database = service.installation.database): Promise<string> {
  const { rows } = await database.query<{ id: string }>(
    `insert into examination (exhibit_id, examiner, image, received, profile) values ($1, 'x', '{}', '[]', '{}') returning id`,
    [exhibitId],
  );
  const { id } = rows[0]!;
  await transaction(database, (client) =>
    copyRows(client, 'entry', [Buffer.from(records.map((record) => `${id}\t${id}\t${entryRow(record)}\n`).join(''))]),
  );
  return id;
}

beforeAll(async () => {
  service = await openService();
  const agency = await service.agency();
  reader = await service.person(agency);
  const exhibit = await service.exhibitOf(await service.caseOf(agency, [[reader, 'investigator']]));
  examinations.push(await examinationOf(exhibit), await examinationOf(exhibit));
  await indexForSearch(service.installation.database, examinations[0]!); // the second is seen through its entries
}, 60_000);
afterAll(() => service.close());

const ask = (examination: string, query: Record<string, string>, what = 'entries') =>
  service.ask(`/api/v1/examinations/${examination}/${what}?${new URLSearchParams(query)}`, { token: reader.token });

async function allPages(examination: string, query: Record<string, string>, limit: number, what = 'entries') {
  // biome-ignore lint/suspicious/noExplicitAny: answers of many forms
  const items: any[] = [];
  for (let cursor: string | null = null; ; ) {
    const { status, json } = await ask(examination, { ...query, limit: String(limit), ...(cursor === null ? {} : { cursor }) }, what);
    expect(status, JSON.stringify(json)).toBe(200);
    expect(json.items.length).toBeLessThanOrEqual(limit);
    items.push(...json.items);
    cursor = json.next;
    if (cursor === null) return items;
  }
}

const bytewise = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const latest = (record: EntryRecord) => record.times.filter(({ kind }) => kind === 'modified').map(({ time }) => seconds[time]!)[0];
const early = -(10n ** 40n);
const orders: Readonly<Record<string, (a: EntryRecord, b: EntryRecord) => number>> = {
  locator: () => 0,
  path: (a, b) => bytewise(a.path, b.path),
  name: (a, b) => bytewise(a.name.toLowerCase(), b.name.toLowerCase()),
  size: (a, b) => a.size - b.size,
  type: (a, b) => bytewise(a.type, b.type),
  modified: (a, b) => Number((latest(a) ?? early) - (latest(b) ?? early) > 0n) - Number((latest(a) ?? early) - (latest(b) ?? early) < 0n),
};
const isLive = ({ allocated }: EntryRecord) => allocated.name && allocated.metadata;
const from2024 = 1709164800n * 1000000000n; // date -u -d 2024-02-29 +%s

const filters: readonly (readonly [Record<string, string>, (record: EntryRecord) => boolean])[] = [
  [{}, () => true],
  [{ name: '*.txt' }, ({ name }) => name.endsWith('.txt')],
  [{ name: 'report.*' }, ({ name }) => name.startsWith('report.')],
  [{ name: 'REPORT.*', ignoreCase: 'true' }, ({ name }) => name.toLowerCase().startsWith('report.')],
  [{ name: 'отчёт.*', ignoreCase: 'true' }, ({ name }) => name.toLowerCase().startsWith('отчёт.')],
  [{ path: 'home/' }, ({ path }) => path.startsWith('home/')],
  [{ extension: 'PDF' }, ({ name }) => name.toLowerCase().endsWith('.pdf')],
  [{ type: 'directory' }, ({ type }) => type === 'directory'],
  [{ minSize: '3', maxSize: '7' }, ({ size }) => size >= 3 && size <= 7],
  [{ allocated: 'false' }, (record) => !isLive(record)],
  [{ allocated: 'true' }, isLive],
  [{ digest: '4'.padStart(32, '0') }, ({ digests }) => digests?.md5 === '4'.padStart(32, '0')],
  [{ mediaType: 'image/*' }, ({ mediaType }) => mediaType === 'image/jpeg'],
  [{ mediaType: 'text/plain' }, ({ mediaType }) => mediaType === 'text/plain'],
  [{ problem: 'read.bad-sector' }, ({ problems }) => problems !== undefined],
  [{ fact: 'exif.Make', value: 'Canon' }, ({ facts }) => facts !== undefined],
  [{ fact: 'exif.ISO', value: '12' }, ({ facts }) => facts?.['exif.ISO'] === 12],
  [{ fact: 'list', value: 'b' }, ({ facts }) => facts !== undefined],
  [{ words: 'holiday' }, ({ name }) => name.includes('Holiday')],
  [{ words: 'photo 2' }, ({ name }) => name === 'HolidayPhoto2.JPG'],
  [{ words: 'day' }, () => false],
  [{ from: '2024-02-29' }, ({ times: all }) => all.some(({ time }) => seconds[time]! >= from2024)],
  [{ to: '1970-01-01', time: 'accessed' }, ({ times: all }) => all.some(({ kind, time }) => kind === 'accessed' && seconds[time]! < 0n)],
  [
    { from: '2024-02-29T12:34:56.789012345Z', to: '2024-02-29T12:34:56.789012346Z' },
    ({ times: all }) => all.some(({ time }) => time === times[0]),
  ],
];

describe('pages', () => {
  it('put together are all that fits, each once and in order: under any filters, order, size of page', async () => {
    const filter = fc.uniqueArray(fc.constantFrom(...filters), { maxLength: 2, selector: ([query]) => Object.keys(query).join() });
    await fc.assert(
      fc.asyncProperty(
        filter,
        fc.constantFrom(...Object.keys(orders)),
        fc.boolean(),
        fc.integer({ min: 7, max: 300 }),
        fc.constantFrom(0, 1),
        async (chosen, sort, falls, limit, which) => {
          const query = Object.assign({ sort, order: falls ? 'desc' : 'asc' }, ...chosen.map(([given]) => given)) as Record<string, string>;
          const fitting = chosen.filter(([given], at) =>
            chosen.slice(at + 1).every(([later]) => Object.keys(given).every((name) => !(name in later))),
          );
          fc.pre(fitting.length === chosen.length);
          const compare = (a: EntryRecord, b: EntryRecord) => orders[sort]!(a, b) || bytewise(a.locator, b.locator);
          const expected = records
            .filter((record) => chosen.every(([, fits]) => fits(record)))
            .sort((a, b) => (falls ? compare(b, a) : compare(a, b)));
          const found = await allPages(examinations[which]!, query, limit);
          expect(found.map(({ locator }) => locator)).toEqual(expected.map(({ locator }) => locator));
        },
      ),
      { numRuns: 80 },
    );
  }, 60_000);

  it.each(filters.map(([query, fits]) => [JSON.stringify(query), query, fits] as const))(
    'fit %s, made or unmade',
    async (_name, query, fits) => {
      const expected = records
        .filter(fits)
        .map(({ locator }) => locator)
        .sort(bytewise);
      for (const examination of examinations)
        expect((await allPages(examination, query, 1000)).map(({ locator }) => locator)).toEqual(expected);
    },
  );

  it('tell a total up to 10,000 when asked', async () => {
    const { json } = await ask(examinations[0]!, { total: 'true', limit: '1' });
    expect(json.total).toEqual({ count: 260, more: false });
  });
});

describe('patterns of names', () => {
  // POSIX.1-2017, Shell and Utilities, 2.13 (pattern matching); checked against bash 5 `case`
  it.each([
    ['r[[]1].txt', ['r[1].txt']],
    ['r\\[1\\].txt', ['r[1].txt']],
    ['100%.txt', ['100%.txt']],
    ['a_b.txt', ['a_b.txt']],
    ['a?b.txt', ['a_b.txt', 'aXb.txt']],
    ['a[!_]b.txt', ['aXb.txt']],
    ['a[A-Z_]b.txt', ['aXb.txt', 'a_b.txt']],
    ['*[0-9].JPG', ['HolidayPhoto2.JPG']],
    ['*\\\\*', ['back\\slash']],
    ['\\*', ['*']],
    ['[*]', ['*']],
    ['?', ['*']],
    ['??.png', ['写真.png']],
    ["O'*", ["O'Brien.txt"]],
    ['"*', ['"quoted".txt']],
    ['*\n*', ['new\nline.txt']],
    ['[', []],
    ['*[]]*', ['r[1].txt']],
  ])('%s', async (name, expected) => {
    for (const examination of examinations) {
      const found = new Set((await allPages(examination, { name }, 1000)).map((entry) => entry.name));
      expect([...found].sort()).toEqual([...expected].sort());
    }
  });
});

// checked against bash 5 `case` with nocasematch
it.each<readonly [string, readonly string[]]>([
  ['R*[P].pdf', []],
  ['r*[S-T].PDF', ['report.PDF', 'Report.pdf']],
  ['[!R]*.T?T', ['100%.txt', 'a_b.txt', 'aXb.txt', "O'Brien.txt", '"quoted".txt', 'new\nline.txt']],
  ['*O*[0-9]*.JPG', ['HolidayPhoto2.JPG']],
  ['*_[0-9]*.JPG', ['IMG_2024Holiday.jpg']],
  ['[О]тчёт.*', ['отчёт.doc', 'ОТЧЁТ.doc']],
])('in any case: %s', async (name, expected) => {
  for (const examination of examinations) {
    const found = new Set((await allPages(examination, { name, ignoreCase: 'true' }, 1000)).map((entry) => entry.name));
    expect([...found].sort()).toEqual([...expected].sort());
  }
});

describe('problems', () => {
  const codes = ['read.bad-sector', 'zip.entry', 'exif.damaged'];
  const told = Array.from({ length: 40 }, (_, index) => ({
    locator: `image:/ext:${(index * 7) % 20}`,
    code: codes[index % 3]!,
    message: `message ${index}`,
    at: index % 2 === 0 ? index * 512 : null,
    hidesEvidence: index % 4 === 0,
  }));
  const inOrder = told.map((problem, index) => ({ ...problem, index })).sort((a, b) => bytewise(a.locator, b.locator) || a.index - b.index);
  const filtersOf: readonly (readonly [Record<string, string>, (problem: (typeof told)[number]) => boolean])[] = [
    [{}, () => true],
    [{ code: 'zip.entry' }, ({ code }) => code === 'zip.entry'],
    [{ hidesEvidence: 'true' }, ({ hidesEvidence }) => hidesEvidence],
    [{ hidesEvidence: 'false', code: 'read.bad-sector' }, ({ hidesEvidence, code }) => !hidesEvidence && code === 'read.bad-sector'],
    [{ locator: 'image:/ext:1' }, ({ locator }) => locator.startsWith('image:/ext:1')],
    [{ locator: 'image:/ext:%' }, () => false],
    [{ code: 'no.such' }, () => false],
  ];

  beforeAll(async () => {
    for (const { locator, code, message, at, hidesEvidence } of told)
      await service.installation.database.query(
        `insert into problem (examination_id, unit_id, locator, code, message, at, hides_evidence) values ($1, $1, $2, $3, $4, $5, $6)`,
        [examinations[0], locator, code, message, at, hidesEvidence],
      );
  });

  it.each(filtersOf.map(([query, fits]) => [JSON.stringify(query), query, fits] as const))(
    'that fit %s come once each, in order of locators, in pages of any size',
    async (_what, query, fits) => {
      const expected = inOrder.filter(fits).map(({ index: _, ...problem }) => problem);
      for (const limit of [1, 7, 1000]) expect(await allPages(examinations[0]!, query, limit, 'problems')).toEqual(expected);
    },
  );

  it('are counted by code', async () => {
    const { json } = await ask(examinations[0]!, {}, 'problems/summary');
    expect(json.codes).toEqual(
      codes.toSorted(bytewise).map((code) => {
        const those = told.filter((problem) => problem.code === code);
        return { code, count: those.length, hiding: those.filter(({ hidesEvidence }) => hidesEvidence).length };
      }),
    );
    expect((await ask(examinations[1]!, {}, 'problems/summary')).json.codes).toEqual([]);
  });

  it('refuse the cursor of another filter, and one that was made up', async () => {
    const { json } = await ask(examinations[0]!, { limit: '3' }, 'problems');
    for (const query of [{ cursor: json.next, code: 'zip.entry' }, { cursor: 'AAAA' }]) {
      const { status, json: refused } = await ask(examinations[0]!, query as Record<string, string>, 'problems');
      expect([status, refused.code]).toEqual([400, 'http.cursor']);
    }
  });
});

describe('what is refused', () => {
  it.each(['entries', 'timeline', 'problems'])('a cursor of 1 MB: %s', async (what) => {
    const { status, headers } = await ask(examinations[0]!, { cursor: 'A'.repeat(1024 * 1024) }, what);
    expect([status, headers.get('content-type')]).toEqual([431, 'application/problem+json']); // RFC 6585, section 5
    expect((await ask(examinations[0]!, { limit: '1' }, what)).status).toBe(200); // the server goes on
  });

  it('a search that takes longer than it may: 503, and the next one is answered', async () => {
    const hurried = await openService({ environment: { CUSTODIA_SEARCH_MS: '1' } });
    try {
      const agency = await hurried.agency();
      const person = await hurried.person(agency);
      const exhibit = await hurried.exhibitOf(await hurried.caseOf(agency, [[person, 'investigator']]));
      const examination = await examinationOf(exhibit, hurried.installation.database);
      const { status, json } = await hurried.ask(`/api/v1/examinations/${examination}/entries?sort=size&name=*a*`, { token: person.token });
      expect([status, json.code]).toEqual([503, 'search.too-slow']);
      expect((await hurried.ask('/api/v1/self', { token: person.token })).status).toBeLessThan(500);
    } finally {
      await hurried.close();
    }
  });

  it.each<readonly [string, Record<string, string>, string]>([
    ['a cursor of nothing', { cursor: 'AAAA' }, 'http.cursor'],
    ['a cursor of 15 KB, as much as a header may hold', { cursor: 'A'.repeat(15_000) }, 'http.request'],
    ['a range that runs backwards', { name: '[z-a]' }, 'search.glob'],
    ['a class of all characters', { name: '[\u0001-\u{10ffff}]' }, 'search.glob'],
    ['no word', { words: '---' }, 'search.words'],
    ['no time', { from: '2023-02-29' }, 'search.time'],
    ['a fact without a value', { fact: 'exif.Make' }, 'http.request'],
    ['NUL', { path: 'a\0b' }, 'http.request'],
    ['a property that is none', { q: 'x' }, 'http.request'],
    ['an order that is none', { sort: 'locator; drop table entry' }, 'http.request'],
    ['a page of 1001', { limit: '1001' }, 'http.request'],
  ])('%s', async (_what, query, code) => {
    const { status, json } = await ask(examinations[0]!, query);
    expect([status, json.code]).toEqual([400, code]);
  });

  it('a cursor of another examination, another filter, another order', async () => {
    const { json } = await ask(examinations[0]!, { limit: '3' });
    for (const [examination, query] of [
      [examinations[1]!, {}],
      [examinations[0]!, { path: 'home/' }],
      [examinations[0]!, { sort: 'size' }],
    ] as const) {
      const { status, json: refused } = await ask(examination, { ...query, cursor: json.next });
      expect([status, refused.code]).toEqual([400, 'http.cursor']);
    }
  });

  it('an examination of others: 404, also where its id is known', async () => {
    const other = await service.person(reader.agencyId);
    for (const what of ['entries', 'timeline', 'problems', 'problems/summary', `entries/${encodeURIComponent('image:/ext:1')}`])
      expect((await service.ask(`/api/v1/examinations/${examinations[0]}/${what}`, { token: other.token })).status).toBe(404);
  });
});

describe('the timeline', () => {
  const moments = records.flatMap((record) => record.times.map((time, nth) => ({ ...time, nth, record })));
  it.each([0, 1])('has every time once, in order of its digits, with its zone (examination %i)', async (which) => {
    const expected = moments.toSorted(
      (a, b) =>
        Number(seconds[a.time]! - seconds[b.time]! > 0n) - Number(seconds[a.time]! - seconds[b.time]! < 0n) ||
        bytewise(a.record.locator, b.record.locator) ||
        a.nth - b.nth,
    );
    const found = await allPages(examinations[which]!, {}, 37, 'timeline');
    expect(found.map(({ time, zone, kind, locator }) => [time, zone, kind, locator])).toEqual(
      expected.map(({ time, zone, kind, record }) => [time, zone, kind, record.locator]),
    );
  });

  it.each([0, 1])('is filtered by range, kind, path, allocation (examination %i)', async (which) => {
    const found = await allPages(
      examinations[which]!,
      { from: '2024-02-29', kinds: 'accessed,created', path: 'home/', allocated: 'true' },
      5,
      'timeline',
    );
    const expected = moments.filter(
      ({ time, kind, record }) => seconds[time]! >= from2024 && kind !== 'modified' && record.path.startsWith('home/') && isLive(record),
    );
    expect(found.length).toBe(expected.length);
    expect(expected.length).toBeGreaterThan(5);
    expect(new Set(found.map(({ locator, kind }) => locator + kind))).toEqual(
      new Set(expected.map(({ record, kind }) => record.locator + kind)),
    );
  });
});
