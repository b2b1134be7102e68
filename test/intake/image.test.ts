/** Segments become an image: in the order that they tell themselves, whatever they are called. Witness: fixtures made by ewfacquire, md5 of their origin. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError, defaultLimits, readIntakeSettings } from '../../src/config.ts';
import { openImage } from '../../src/examine/open-evidence.ts';
import { type Intake } from '../../src/intake/intake.ts';
import { type Recorder } from '../../src/pipeline/recorder.ts';
import { submit } from '../../src/pipeline/submit.ts';
import { type UnitQueue } from '../../src/pipeline/unit-queue.ts';
import { localAgency } from '../../src/store/migrations/0003-service.ts';
import { type Bench, eventsOf, openBench, pieces } from './bench.ts';

let bench: Bench;
let intake: Intake;
let root: string;
const segments = ['E01', 'E02', 'E03'].map((extension) =>
  join(import.meta.dirname, '..', '..', 'fixtures', 'ewf-split', `image.${extension}`),
);

beforeAll(async () => {
  bench = await openBench();
  root = join(bench.folder, 'root');
  mkdirSync(join(root, 'set'), { recursive: true });
  const settings = {
    ...bench.settings,
    roots: readIntakeSettings(join(bench.folder, 'data'), { CUSTODIA_EVIDENCE_ROOTS: `lab=${root}` }).roots,
  };
  intake = bench.intake({ settings });
});
afterAll(() => bench.close());

async function upload(exhibit: string, name: string, bytes: Uint8Array) {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const begun = await bench.begin(intake, exhibit, name, bytes.length, sha256);
  await intake.receive({ uploadId: begun.id, offset: 0, bytes: pieces(bytes, 65_536), checksum: null });
  expect(await intake.waitForEnd(begun.id, 5000)).toMatchObject({ status: 'accepted' });
}

const assemble = (exhibit: string, incomplete = false) => intake.assemble(exhibit, { incomplete });
const media = (image: { format: string; paths: readonly string[] }) => {
  const opened = openImage(image, { add: () => undefined });
  try {
    return createHash('md5').update(opened.image.media.read(0, opened.image.media.size)).digest('hex');
  } finally {
    opened.close();
  }
};
const place = (exhibitId: string, path: string) =>
  intake.place({ exhibitId, agencyId: localAgency, accountId: bench.accountId, credential: 'token', root: 'lab', path });

describe('three segments of an E01', () => {
  it('are ordered by their headers, though they came in another order under names that lie', async () => {
    const exhibit = await bench.exhibit();
    await upload(exhibit, 'image.E01', readFileSync(segments[2]!));
    await upload(exhibit, 'image.E03', readFileSync(segments[0]!));
    await upload(exhibit, '../../notes.txt', readFileSync(segments[1]!));
    const { image, missing } = await assemble(exhibit);
    expect([image.format, image.paths.map((path) => basename(path)), missing]).toEqual([
      'ewf',
      ['image.E01', 'image.E02', 'image.E03'],
      [],
    ]);
    expect(image.paths.map((path) => readFileSync(path).equals(readFileSync(segments[image.paths.indexOf(path)]!)))).toEqual([
      true,
      true,
      true,
    ]);
    expect(media(image)).toBe('a28d9067abb303ee54cd5811b622602b'); // md5sum, and ewfverify: fixtures/ewf-split/origin.md
    expect((await assemble(exhibit)).image).toEqual(image); // the same set, the same paths
    expect(await eventsOf(bench.pool, exhibit)).toHaveLength(3);
  });

  it.each([
    ['the first', [1, 2], 'missing: segment 1;'],
    ['the middle one', [0, 2], 'missing: segment 2;'],
    ['the last', [0, 1], 'missing: segment 3 and what follows it;'],
    ['two', [1], 'missing: segment 1, segment 3 and what follows it;'],
  ])('are refused without %s, which is named; wanted all the same they are an image', async (_what, present, words) => {
    const exhibit = await bench.exhibit();
    for (const index of present) await upload(exhibit, `file ${index}`, readFileSync(segments[index]!));
    await expect(assemble(exhibit)).rejects.toMatchObject({ code: 'segments.missing', message: expect.stringContaining(words) });
    expect((await assemble(exhibit, true)).image.paths).toHaveLength(present.length);
  });

  it('are refused with what does not belong to them, which is named', async () => {
    const exhibit = await bench.exhibit();
    await upload(exhibit, 'a', readFileSync(segments[0]!));
    await upload(exhibit, 'b', readFileSync(segments[1]!));
    await upload(exhibit, 'c', readFileSync(segments[2]!));
    await upload(exhibit, 'letter', Buffer.from('no image at all'));
    await expect(assemble(exhibit)).rejects.toMatchObject({
      code: 'segments.foreign',
      message: expect.stringContaining("'letter' is no EWF segment"),
    });
    const other = await bench.exhibit();
    await upload(other, 'a', readFileSync(segments[0]!));
    await upload(other, 'again', readFileSync(segments[0]!));
    await expect(assemble(other)).rejects.toMatchObject({ message: expect.stringContaining("'again' says it is segment 1, as 'a' does") });
  });
});

describe('parts of a raw image', () => {
  it('are ordered by their names; a gap is named', async () => {
    const exhibit = await bench.exhibit();
    for (const number of [3, 1, 10, 2]) await upload(exhibit, `disk.${String(number).padStart(3, '0')}`, Buffer.alloc(512, number));
    await expect(assemble(exhibit)).rejects.toMatchObject({
      code: 'segments.missing',
      message: expect.stringContaining('part 4, part 5, part 6, part 7, part 8, part 9;'),
    });
    for (const number of [4, 5, 6, 7, 8, 9]) await upload(exhibit, `disk.00${number}`, Buffer.alloc(512, number));
    const { image } = await assemble(exhibit);
    expect([image.format, image.paths.length]).toEqual(['split-raw', 10]);
    const parts = Array.from({ length: 10 }, (_, index) => Buffer.alloc(512, index + 1));
    expect(media(image)).toBe(createHash('md5').update(Buffer.concat(parts)).digest('hex'));
    await upload(exhibit, 'other.011', Buffer.alloc(512));
    await expect(assemble(exhibit)).rejects.toMatchObject({ code: 'segments.foreign' });
  });
});

describe('in place', () => {
  it('all files of a set are taken in where they lie, whichever was named; nothing is written there', async () => {
    for (const path of segments) copyFileSync(path, join(root, 'set', basename(path)));
    const exhibit = await bench.exhibit();
    const placed = await place(exhibit, 'set/image.E02');
    expect(placed.map(({ name, root_path }) => [name, root_path])).toEqual(
      ['image.E01', 'image.E02', 'image.E03'].map((name) => [name, `set/${name}`]),
    );
    const { image } = await assemble(exhibit);
    expect(image).toEqual({ format: 'ewf', paths: segments.map((path) => join(root, 'set', basename(path))) });
    expect(await eventsOf(bench.pool, exhibit)).toMatchObject([
      { storage: [image.paths[0]] },
      { storage: [image.paths[1]] },
      { storage: [image.paths[2]] },
    ]);
    await expect(place(exhibit, 'set/image.E01')).rejects.toMatchObject({ code: 'segment.name-taken' });

    writeFileSync(join(root, 'set', 'image.E02'), readFileSync(segments[1]!));
    await expect(assemble(exhibit)).rejects.toMatchObject({ code: 'segment.changed', message: expect.stringContaining("'image.E02'") });
  });

  it('a set with a link among its files is refused as a whole', async () => {
    mkdirSync(join(root, 'linked'));
    copyFileSync(segments[0]!, join(root, 'linked', 'image.E01'));
    symlinkSync(segments[1]!, join(root, 'linked', 'image.E02'));
    const exhibit = await bench.exhibit();
    await expect(place(exhibit, 'linked/image.E01')).rejects.toMatchObject({ code: 'place.link' });
    expect(await eventsOf(bench.pool, exhibit)).toEqual([]);
    await expect(assemble(exhibit)).rejects.toMatchObject({ code: 'segments.none' });
  });

  it('only below a root that is configured', async () => {
    const exhibitId = await bench.exhibit();
    const of = { exhibitId, agencyId: localAgency, accountId: bench.accountId, credential: 'token', path: 'set/image.E01' };
    await expect(intake.place({ ...of, root: 'other' })).rejects.toMatchObject({ code: 'place.root' });
  });
});

describe('an examination is begun over what was taken in', () => {
  it('and not over what lies at its path by then', async () => {
    const exhibit = await bench.exhibit();
    writeFileSync(join(root, 'set', 'swapped.raw'), Buffer.alloc(8192, 1));
    await place(exhibit, 'set/swapped.raw');
    const { image, received } = await assemble(exhibit);
    rmSync(join(root, 'set', 'swapped.raw'));
    symlinkSync('/etc/passwd', join(root, 'set', 'swapped.raw')); // after it was looked at, before it is begun
    const queue = {} as UnitQueue; // nothing is announced
    const profile = { digests: [], limits: defaultLimits };
    const named = { caseReference: 'case 7', exhibit: 'swapped', examiner: 'Exam Iner' };
    const begun = submit(bench.pool, queue, {} as Recorder, { ...named, image, received, profile });
    await expect(begun).rejects.toMatchObject({ code: 'evidence.changed', final: true });
  });
});

describe('evidence roots', () => {
  const read = (roots: string) => readIntakeSettings('/srv/custodia', { CUSTODIA_EVIDENCE_ROOTS: roots }).roots;
  const [one, two] = ['00000000-0000-7000-8000-00000000000a', '00000000-0000-7000-8000-00000000000b'];

  it('are for all agencies, or for those that are named', () => {
    expect(read(`a=/evidence/a; b@${one}=/evidence/b ;c@${one},${two}=/evidence/c=d`)).toEqual([
      { name: 'a', path: '/evidence/a', agencies: null },
      { name: 'b', path: '/evidence/b', agencies: [one] },
      { name: 'c', path: '/evidence/c=d', agencies: [one, two] },
    ]);
  });

  it.each([
    'a=relative',
    'a=/x;a=/y',
    'A=/x',
    'a@police=/x',
    '=/x',
    'a',
    'a=/srv',
    'a=/srv/custodia',
    'a=/srv/custodia/store/sha256',
    'a=/',
  ])('are not %s', (roots) => {
    expect(() => read(roots)).toThrow(ConfigError);
  });
});
