/** What is measured: each scenario runs peers and us over the same image. */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pino } from 'pino';
import { openEmbedded } from '../src/store/embedded.ts';
import { type Comparison, type Contender, compare, inTurn, type Spread, spreadOf } from './compare.ts';
import { type Images } from './images.ts';
import { type Run, runWatched } from './processes.ts';

export interface Bench {
  readonly images: Images;
  readonly work: string;
  readonly rounds: number;
  has(tool: string): boolean;
}

export interface Memory {
  readonly title: string;
  readonly entries: number;
  readonly files: number;
  readonly run: Run;
  readonly limit: number;
}

export interface Times {
  readonly title: string;
  readonly seconds: Spread;
}

export interface Findings {
  readonly times?: readonly Times[];
  readonly comparisons?: readonly Comparison[];
  readonly memory?: Memory;
}

export interface Scenario {
  readonly name: string;
  readonly tools: readonly string[];
  measure(bench: Bench): Promise<Findings>;
}

const program = join(import.meta.dirname, '..', 'bin', 'custodia.cjs');
const mebibyte = 1024 ** 2;

const peer = (name: string, stdout: string, command: string, ...args: string[]): Contender => ({
  name,
  run: () => runWatched({ command, args, stdout }),
});

const ourStep = (name: string, stdout: string, script: string, ...args: string[]): Contender => ({
  name,
  run: () => runWatched({ command: process.execPath, args: [join(import.meta.dirname, script), ...args], stdout }),
});

/** `custodia process`; 0 and 4 (problems that hide evidence) are both an end as it should be. */
function wholeProcess(bench: Bench, image: string, data: string, proportional = false): Contender {
  return {
    name: 'custodia process',
    async run(round) {
      const out = join(bench.work, 'report');
      rmSync(out, { recursive: true, force: true });
      const exhibit = `${process.pid}-${performance.now()}-${round}`;
      const args = [
        program,
        'process',
        image,
        '--case',
        'bench',
        '--exhibit',
        exhibit,
        '--examiner',
        'bench',
        '--out',
        out,
        '--data',
        data,
      ];
      const stdout = join(bench.work, 'custodia.out');
      const run = await runWatched(
        { command: process.execPath, args: [...args, '--json'], stdout, dataFolder: data, proportional },
        [0, 4],
      );
      rmSync(out, { recursive: true });
      return run;
    },
  };
}

/** A data folder that `use` has to itself; `server`: its PostgreSQL runs all the while. */
async function withData<T>(bench: Bench, server: boolean, use: (data: string) => Promise<T>): Promise<T> {
  const data = join(bench.work, `data-${process.pid}`);
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data);
  const log = pino({ level: 'warn' }, pino.destination(2));
  const first = await openEmbedded({ dataFolder: data, log });
  if (!server) await first.close();
  try {
    return await use(data);
  } finally {
    if (server) await first.close();
    rmSync(data, { recursive: true, force: true });
  }
}

const output = (bench: Bench, name: string): string => join(bench.work, name);

/** Brings a file into the page cache. */
function warm(path: string): void {
  const piece = new Uint8Array(mebibyte);
  const file = openSync(path, 'r');
  while (readSync(file, piece) > 0);
  closeSync(file);
}

const hashRaw: Scenario = {
  name: 'media-hash',
  tools: ['hashdeep'],
  async measure(bench) {
    const image = bench.images.raw();
    warm(image);
    const [theirs, ours] = [output(bench, 'hashdeep.out'), output(bench, 'hash-media.out')];
    const comparisons = await compare(
      'raw medium: MD5, SHA-1, SHA-256',
      5,
      [
        peer('hashdeep -c md5,sha1,sha256', theirs, 'hashdeep', '-c', 'md5,sha1,sha256', image),
        ourStep('step hash-media, process and all', ours, 'hash-media.ts', image),
      ],
      bench.rounds,
    );
    const { media } = JSON.parse(readFileSync(ours, 'utf8')) as { media: Record<string, string> };
    expectIn(readFileSync(theirs, 'utf8'), [media.md5!, media.sha1!, media.sha256!], 'hashdeep');
    return { comparisons };
  },
};

const verifyE01: Scenario = {
  name: 'e01-verify',
  tools: ['ewfverify', 'ewfacquire', 'mke2fs'],
  async measure(bench) {
    const image = bench.images.e01();
    warm(image);
    const [theirs, ours] = [output(bench, 'ewfverify.out'), output(bench, 'hash-e01.out')];
    const comparisons = await compare(
      'E01 (fast): every chunk checked, MD5, SHA-1, SHA-256',
      2.2,
      [
        peer('ewfverify -d sha1,sha256', theirs, 'ewfverify', '-q', '-d', 'sha1,sha256', image),
        ourStep('step hash-media, process and all', ours, 'hash-media.ts', image),
      ],
      bench.rounds,
    );
    const { media } = JSON.parse(readFileSync(ours, 'utf8')) as { media: Record<string, string> };
    expectIn(readFileSync(theirs, 'utf8'), [media.md5!, media.sha1!, media.sha256!], 'ewfverify');
    return { comparisons };
  },
};

function expectIn(text: string, digests: readonly string[], tool: string): void {
  const missing = digests.filter((digest) => !text.includes(digest));
  if (missing.length > 0) throw new Error(`${tool} did not find ${missing.join(', ')}: nobody may be called faster at another work`);
}

const fullExamination = (fileSystem: 'ext4' | 'fat32', target: number): Scenario => ({
  name: `examine-${fileSystem}`,
  tools: ['fiwalk', 'hashdeep', fileSystem === 'ext4' ? 'mke2fs' : 'mcopy'],
  measure: (bench) =>
    withData(bench, true, async (data) => {
      const image = bench.images[fileSystem]();
      warm(image);
      const [theirs, ours, sums] = [output(bench, 'fiwalk.xml'), output(bench, 'examine.out'), output(bench, 'hashdeep.out')];
      const fiwalk = peer('fiwalk -x', theirs, 'fiwalk', '-x', image);
      const hashdeep = peer('hashdeep', sums, 'hashdeep', '-c', 'md5,sha1,sha256', image);
      const both: Contender = {
        name: 'fiwalk -x, then hashdeep of the image',
        run: async (round) => added(await fiwalk.run(round), await hashdeep.run(round)),
      };
      const files: Contender = {
        name: 'survey, listing, files',
        async run(round) {
          const exhibit = `files-${process.pid}-${performance.now()}-${round}`;
          const run = await ourStep('', ours, 'examine.ts', image, data, exhibit).run(round);
          const { committed } = JSON.parse(readFileSync(ours, 'utf8')) as { committed: number };
          return { ...run, seconds: committed };
        },
      };
      const title = `${fileSystem}: walk, 3 digests, type, metadata, rows in PostgreSQL`;
      const alone = await compare(title, target, [fiwalk, files], bench.rounds);
      await expectSameFiles(theirs, ours);
      const whole = `${fileSystem}: the same, and the medium digested before and after, catalogue sealed, signed report`;
      return { comparisons: [...alone, ...(await compare(whole, null, [both, wholeProcess(bench, image, data)], bench.rounds))] };
    }),
});

const added = (a: Run, b: Run): Run => ({
  seconds: a.seconds + b.seconds,
  peak: { rss: Math.max(a.peak.rss, b.peak.rss), pss: null, processes: Math.max(a.peak.processes, b.peak.processes) },
});

/** MD5 of every file: what fiwalk wrote, against what stands in our rows. */
async function expectSameFiles(dfxml: string, ours: string): Promise<void> {
  const found: string[] = [];
  let isFile = false;
  for await (const line of createInterface({ input: createReadStream(dfxml) })) {
    if (line.includes('<name_type>')) isFile = line.includes('>r<');
    const md5 = /<hashdigest type='md5'>([0-9a-f]{32})</.exec(line)?.[1];
    if (isFile && md5 !== undefined) found.push(md5);
  }
  const { fingerprint } = JSON.parse(readFileSync(ours, 'utf8')) as { fingerprint: string };
  const theirs = createHash('sha256').update(found.sort().join('\n')).digest('hex');
  if (theirs !== fingerprint) throw new Error(`fiwalk found ${found.length} files, and not those that we found`);
}

const coldStart: Scenario = {
  name: 'start',
  tools: ['mke2fs'],
  async measure(bench) {
    const image = bench.images.tiny();
    const warmServer = await withData(bench, true, (data) => timesOf(wholeProcess(bench, image, data), bench.rounds));
    const ownServer = await withData(bench, false, (data) => timesOf(wholeProcess(bench, image, data), bench.rounds));
    const fresh = output(bench, 'fresh-data');
    const first = wholeProcess(bench, image, fresh);
    const firstOfAll = await timesOf(
      {
        name: first.name,
        async run(round) {
          rmSync(fresh, { recursive: true, force: true });
          return first.run(round);
        },
      },
      bench.rounds,
    );
    rmSync(fresh, { recursive: true, force: true });
    return {
      times: [
        { title: 'custodia process, 4 MiB image: database running', seconds: warmServer },
        { title: 'custodia process, 4 MiB image: database started and stopped', seconds: ownServer },
        { title: 'custodia process, 4 MiB image: database made, started and stopped', seconds: firstOfAll },
      ],
    };
  },
};

const timesOf = async (contender: Contender, rounds: number): Promise<Spread> =>
  spreadOf((await inTurn([contender], rounds))[0]!.map(({ seconds }) => seconds));

const memoryLimit = 700_000_000;

/** One run, looked at with proportional sizes. */
const memory = (name: string, title: (image: string) => string, imageOf: (images: Images) => string): Scenario => ({
  name,
  tools: ['mke2fs'],
  measure: (bench) =>
    withData(bench, false, async (data) => {
      const image = imageOf(bench.images);
      const run = await wholeProcess(bench, image, data, true).run(0);
      const report = readFileSync(join(bench.work, 'custodia.out'), 'utf8').trim().split('\n').at(-1)!;
      const { entries, files } = JSON.parse(report) as { entries: number; files: number };
      return { memory: { title: title(image), entries, files, run, limit: memoryLimit } };
    }),
});

export const scenarios: readonly Scenario[] = [
  hashRaw,
  verifyE01,
  fullExamination('ext4', 2),
  fullExamination('fat32', 1.5),
  coldStart,
  memory(
    'memory-entries',
    (image) => `custodia process, many entries (${basename(image)})`,
    (images) => images.manyEntries(),
  ),
  memory(
    'memory-size',
    (image) => `custodia process, a large medium (${basename(image)})`,
    (images) => images.sparse(),
  ),
];
