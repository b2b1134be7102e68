/** COPY of names as hostile as they come, in and out. Witness: what PostgreSQL gives back by plain SELECT; its error codes (manual, appendix A). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBytes, copyValue } from '../../src/examine/copy-form.ts';
import { copyRows, exportProblems, exportRecords } from '../../src/store/copy.ts';
import { transaction } from '../../src/store/transaction.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { insertTestExamination, someUnits, type TestExamination } from '../support/examination.ts';

let database: TestDatabase;
let folder: string;

beforeAll(async () => {
  database = await testDatabase();
  folder = mkdtempSync(join(tmpdir(), 'custodia-copy-'));
});
afterAll(async () => {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
});

const hostile: [string, string][] = [
  ['a backslash', 'a\\b'],
  ['only backslashes', '\\\\\\'],
  ['the sign for null', '\\N'],
  ['the sign for the end', '\\.'],
  ['the end on a line of its own', 'x\n\\.\ny'],
  ['tabs and line ends', 'a\tb\nc\r\nd\re'],
  ['control characters but NUL', Array.from({ length: 31 }, (_, code) => String.fromCharCode(code + 1)).join('')],
  ['escapes that are none', '\\t\\n\\x41\\101\\b'],
  ['quotes and delimiters of CSV', '"\',;\u0001\u0002'],
  ['the picture of NUL', '\u2400'],
  ['no characters (U+FFFE, U+FFFF)', '\ufffe\uffff'],
  ['a pair of surrogates', '\ud83d\ude00'],
  ['right to left', 'photo\u202egpj.exe'],
  ['65,535 bytes', 'x'.repeat(65_535)],
  ['an injection', "'); drop table entry; --"],
  ['nothing', ''],
];

const prefix = ({ examination, unitIds }: TestExamination) => `${examination.id}\t${unitIds[0]}\t`;

/** Columns of `entryColumns`: locator, path, type, size, allocated, sha256, media_type, record. */
const entryRow = (owner: string, locator: string, path: string): Uint8Array => {
  const record = JSON.stringify({ locator, path });
  const columns = [...[locator, path, 'file', 1, true].map(copyValue), copyBytes('ab'.repeat(32)), ...[null, record].map(copyValue)];
  return new TextEncoder().encode(`${owner}${columns.join('\t')}\n`);
};

const copy = (rows: Iterable<Uint8Array>, table: 'entry' | 'problem' = 'entry') =>
  transaction(database.pool, (client) => copyRows(client, table, rows));

describe('a name that holds', () => {
  it.each(hostile)('%s', async (_, name) => {
    const found = await insertTestExamination(database.pool, someUnits(1));
    await copy([entryRow(prefix(found), 'image:/1', name)]);
    const { rows } = await database.pool.query(
      "select path, record, encode(sha256, 'hex') as sha256, media_type from entry where examination_id = $1",
      [found.examination.id],
    );
    expect(rows).toEqual([
      { path: name, record: JSON.stringify({ locator: 'image:/1', path: name }), sha256: 'ab'.repeat(32), media_type: null },
    ]);
    const path = join(folder, 'records');
    await exportRecords(database.pool, found.examination.id, path, () => undefined);
    expect(readFileSync(path, 'utf8')).toBe(`${JSON.stringify({ locator: 'image:/1', path: name })}\n`);
  });

  it('NUL is refused by the server (22021), and the whole transaction with it: so it must not get so far', async () => {
    const found = await insertTestExamination(database.pool, someUnits(1));
    const rows = [entryRow(prefix(found), 'image:/1', 'good'), entryRow(prefix(found), 'image:/2', 'nul \0')];
    await expect(copy(rows)).rejects.toMatchObject({ code: '22021' });
    const { rows: left } = await database.pool.query('select 1 from entry where examination_id = $1', [found.examination.id]);
    expect(left).toEqual([]);
  });

  it('a lone surrogate becomes U+FFFD where text becomes bytes', async () => {
    const found = await insertTestExamination(database.pool, someUnits(1));
    await copy([entryRow(prefix(found), 'image:/1', 'a\ud800b')]);
    const { rows } = await database.pool.query('select path from entry where examination_id = $1', [found.examination.id]);
    expect(rows).toEqual([{ path: 'a\ufffdb' }]);
  });
});

it('records come out in the order of the bytes of their locators, as `sort` does it in the C locale', async () => {
  const found = await insertTestExamination(database.pool, someUnits(1));
  const locators = [
    'image:/b',
    'image:/B',
    'image:/a',
    'image:/a/1',
    'image:/a10',
    'image:/a9',
    'image:/é',
    'image:/\ufb33',
    'image:/\ud83d\ude00',
    'image:',
  ];
  await copy(locators.map((locator) => entryRow(prefix(found), locator, locator)));
  const path = join(folder, 'ordered');
  let told = 0;
  await exportRecords(database.pool, found.examination.id, path, (count) => {
    told += count;
  });
  const text = readFileSync(path, 'utf8');
  const byBytes = [...locators].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).locator),
  ).toEqual(byBytes);
  expect(told).toBe(Buffer.byteLength(text));
});

it('the same locator twice is refused (23505): what two units found cannot both be there', async () => {
  const found = await insertTestExamination(database.pool, someUnits(1));
  await copy([entryRow(prefix(found), 'image:/1', 'first')]);
  await expect(copy([entryRow(prefix(found), 'image:/1', 'second')])).rejects.toMatchObject({ code: '23505' });
});

it('many batches make one COPY, and a COPY that takes its time is not held to the limit of a statement', async () => {
  const found = await insertTestExamination(database.pool, someUnits(1));
  async function* slowly() {
    for (let batch = 0; batch < 5; batch++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      yield Buffer.concat(Array.from({ length: 200 }, (_, index) => entryRow(prefix(found), `image:/${batch}/${index}`, 'x')));
    }
  }
  await transaction(database.pool, async (client) => {
    await client.query('set local statement_timeout = 300'); // milliseconds; the COPY takes 500
    await copyRows(client, 'entry', slowly());
    const { rows } = await client.query('show statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '15s' }]); // that of the connection again
  });
  const { rows } = await database.pool.query('select count(*)::int as count from entry where examination_id = $1', [found.examination.id]);
  expect(rows).toEqual([{ count: 1000 }]);
});

it('problems come out one JSON object a line, in an order that does not depend on who found them', async () => {
  const found = await insertTestExamination(database.pool, someUnits(1));
  const row = (...values: (string | number | boolean | null)[]) => Buffer.from(`${prefix(found)}${values.map(copyValue).join('\t')}\n`);
  const rows = [
    row('image:/b', 'x.y', 'quote " and \u0001 and \\', 7, true),
    row('image:/a', 'x.z', 'later', null, false),
    row('image:/a', 'x.y', 'second', 20, false),
    row('image:/a', 'x.y', 'first', 3, false),
    row('image:/a', 'x.y', 'without a place', null, false),
  ];
  await copy(rows, 'problem');
  const path = join(folder, 'problems');
  await exportProblems(database.pool, found.examination.id, path);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { code: 'x.y', hidesEvidence: false, locator: 'image:/a', message: 'without a place' },
    { at: 3, code: 'x.y', hidesEvidence: false, locator: 'image:/a', message: 'first' },
    { at: 20, code: 'x.y', hidesEvidence: false, locator: 'image:/a', message: 'second' },
    { code: 'x.z', hidesEvidence: false, locator: 'image:/a', message: 'later' },
    { at: 7, code: 'x.y', hidesEvidence: true, locator: 'image:/b', message: 'quote " and \u0001 and \\' },
  ]);
});

it('an id that is none never gets into a statement', async () => {
  await expect(exportRecords(database.pool, "' or true --", join(folder, 'none'), () => undefined)).rejects.toThrow(/is no id/);
});
