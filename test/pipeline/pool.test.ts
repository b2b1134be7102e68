/**
 * The pool of threads: whatever a task does, its caller is told, the thread is replaced, and the process lives. Real tasks on real files: a named pipe
 * that nobody writes to hangs its reader in the kernel, a ZIP with 40,000 names is too much for a small heap. Witness of digests: sha256sum
 * (coreutils 9.1), ewfexport 20140813.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { leafSize } from '../../src/config.ts';
import { type Batch, type Task } from '../../src/evidence/task.ts';
import { openThreadPool, type PiscinaPool, type PoolOptions } from '../../src/pipeline/piscina-pool.ts';
import { TaskError } from '../../src/pipeline/task-error.ts';
import { Turnstile } from '../../src/pipeline/turnstile.ts';
import { fixtureExpected, fixturePath } from '../support/fixture.ts';
import { profile } from '../support/laboratory.ts';

let folder: string;
let image: { format: string; paths: string[] };
let pool: PiscinaPool | null = null;
const late: unknown[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-pool-'));
  image = { format: 'raw', paths: [join(folder, 'image.raw')] };
  writeFileSync(image.paths[0]!, zstdDecompressSync(readFileSync(fixturePath('fat-poison'))));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await pool?.close();
  pool = null;
  late.length = 0;
});

function open(options: Partial<PoolOptions> = {}): PiscinaPool {
  pool = openThreadPool({ threads: 1, heapMiB: 256, silenceMs: 30_000, onError: (error) => void late.push(error), ...options });
  return pool;
}

const never = new AbortController().signal;
const quiet = { onBatch: () => undefined, signal: never };
const volume = { locator: 'image:/volume', offset: 0, length: 34 * 1024 * 1024, fileSystem: 'fat' };
const owner = { rowPrefix: 'examination\tunit\t' };
const survey = (): Task => ({ kind: 'survey', image, ...owner });
const digestFiles = (): Task & { kind: 'hash-segments' } => ({ kind: 'hash-segments', image });

/** The lines of the files in the volume, as the listing gives them. */
async function listed(threads: PiscinaPool): Promise<Buffer[]> {
  const files: Buffer[] = [];
  const onBatch = (batch: Batch) => void (batch.kind === 'files' && files.push(Buffer.from(batch.files)));
  await threads.run({ kind: 'list-files', image, volume, profile, ...owner }, { onBatch, signal: never });
  return Buffer.concat(files)
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((line) => Buffer.from(`${line}\n`));
}
const zipOf = (files: readonly Buffer[]) => files.find((line) => line.includes('many.zip'))!;
const examine = (files: Uint8Array): Task & { kind: 'examine-files' } => ({
  kind: 'examine-files',
  image,
  volume,
  profile,
  files,
  ...owner,
});

/** The pool still works: the digest is that of the file. */
async function expectWorks(threads: PiscinaPool): Promise<void> {
  const [segment] = await threads.run(digestFiles(), quiet);
  expect(segment!.sha256).toBe(execFileSync('sha256sum', image.paths, { encoding: 'utf8' }).slice(0, 64));
}

describe('a task', () => {
  it('hands out batches in order, in memory of their own, one after the other', async () => {
    const threads = open();
    const batches: Batch[] = [];
    let [inside, most] = [0, 0];
    const onBatch = async (batch: Batch) => {
      most = Math.max(most, ++inside);
      await sleep(batch.kind === 'rows' ? 20 : 0);
      inside--;
      batches.push(batch);
    };
    const result = await threads.run(examine(zipOf(await listed(threads))), { onBatch, signal: never });
    expect(result.entries).toBe(40_001);
    expect(most).toBe(1);
    const rows = batches.filter((batch) => batch.kind === 'rows');
    expect(rows.length).toBeGreaterThan(4);
    expect(new Set(rows.map(({ rows: bytes }) => bytes.buffer)).size).toBe(rows.length);
    expect(rows.every(({ rows: bytes }) => bytes.buffer instanceof ArrayBuffer)).toBe(true);
    const numbers =
      Buffer.concat(rows.map(({ rows: bytes }) => bytes))
        .toString('utf8')
        .match(/(?<=\t)many\.zip\/\d{5}/g) ?? [];
    expect(numbers.length, 'a line for each member').toBe(40_000);
    expect(numbers).toEqual(numbers.toSorted());
  });

  it('that an error of a reader ends is refused, with the code of the error, and would end so again', async () => {
    const refused = open().run({ kind: 'survey', image: { format: 'ewf', paths: image.paths }, ...owner }, quiet);
    await expect(refused).rejects.toMatchObject({ name: 'TaskError', final: true, code: expect.stringMatching(/^ewf\./) });
    await expectWorks(pool!);
  });

  it('whose caller cannot take a batch is ended, and rejects with what the caller threw', async () => {
    const threads = open();
    const onBatch = (batch: Batch) => {
      if (batch.kind === 'rows') throw new Error('the disk is full');
    };
    const zip = zipOf(await listed(threads));
    await expect(threads.run(examine(zip), { onBatch, signal: never })).rejects.toThrow('the disk is full');
    await expectWorks(threads);
  });

  it('is not called silent while its caller takes its time with a batch', async () => {
    const threads = open({ silenceMs: 3000 });
    let slow = 0;
    const onBatch = async (batch: Batch) => {
      if (batch.kind === 'rows' && slow++ < 1) await sleep(5000);
    };
    const result = await threads.run(examine(zipOf(await listed(threads))), { onBatch, signal: never });
    expect(result.entries).toBe(40_001);
  });
});

describe('a task is ended', () => {
  it('when it is told so, before it began and in its middle', async () => {
    const threads = open();
    const zip = zipOf(await listed(threads));
    const before = threads.run(digestFiles(), { ...quiet, signal: AbortSignal.abort() });
    await expect(before).rejects.toMatchObject({ code: 'task.aborted', final: false });
    const controller = new AbortController();
    const onBatch = (batch: Batch) => void (batch.kind === 'rows' && controller.abort());
    const asked = performance.now();
    await expect(threads.run(examine(zip), { onBatch, signal: controller.signal })).rejects.toMatchObject({ code: 'task.aborted' });
    expect(performance.now() - asked).toBeLessThan(5000);
    await expectWorks(threads);
    await vi.waitFor(() => expect(threads.stuck()).toBe(0));
  });

  it('when its time is over', async () => {
    const threads = open({ silenceMs: 4000 }); // looked at every second
    const zip = zipOf(await listed(threads));
    const slow = threads.run(examine(zip), { onBatch: () => sleep(100), signal: never, timeLimitMs: 300 });
    await expect(slow).rejects.toMatchObject({ code: 'task.time', message: 'examine-files: not finished after 300 ms', final: false });
    await expectWorks(threads);
  });

  it('when its heap is full, and the process lives on', async () => {
    const threads = open({ heapMiB: 14 });
    const zip = zipOf(await listed(threads));
    await expect(threads.run(examine(zip), quiet)).rejects.toMatchObject({ code: 'task.memory', final: false });
    await expectWorks(threads);
  });

  it('when its thread cannot even start: late errors end nothing', async () => {
    const threads = open({ heapMiB: 5, silenceMs: 1500 });
    for (let round = 0; round < 3; round++) {
      await expect(threads.run(survey(), quiet)).rejects.toMatchObject({ code: expect.stringMatching(/^task\.(memory|silent|crashed)$/) });
    }
  });

  it('when the kernel holds it: the caller is told, others go on beside the thread that is stuck', async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const threads = open({ silenceMs: 3000 });
    await expectWorks(threads);
    const hanging: Task = { kind: 'seal-catalogue', entriesPath: join(folder, 'none'), csvPath: pipe, volumes: [] }; // fifo(7): waits for a reader
    await expect(threads.run(hanging, quiet)).rejects.toMatchObject({
      code: 'task.silent',
      message: 'seal-catalogue: no sign of life for 3000 ms',
    });
    await expectWorks(threads);
    expect(threads.stuck()).toBe(1);
    await threads.close();
    closeSync(openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)); // the writer's open returns now
    await vi.waitFor(() => expect(threads.stuck()).toBe(0));
  });
});

describe('digests of a medium', () => {
  const e01 = { format: 'ewf', paths: [fixturePath('disk-mbr-e01')] };
  const hashMedia = { kind: 'hash-media', image: e01, leafSize } as const;
  const { md5, sha1, sha256 } = fixtureExpected('disk-mbr-e01');

  it('by one thread and by two are those of the reference tools', async () => {
    const alone = await open().run(hashMedia, quiet);
    await pool!.close();
    const together = await open({ threads: 2 }).run(hashMedia, quiet);
    expect(alone.media).toEqual({ md5, sha1, sha256 });
    expect(together).toEqual(alone);
  });

  it('four at once on two or three threads: pairs never wait for each other', async () => {
    for (const count of [2, 3]) {
      const threads = open({ threads: count });
      const results = await Promise.all(
        [1, 2, 3, 4].map((number) => (number === 2 ? threads.run(digestFiles(), quiet) : threads.run(hashMedia, quiet))),
      );
      expect(results.filter((result) => 'media' in result && result.media.sha256 === sha256)).toHaveLength(3);
      await threads.close();
    }
  });

  it('ended in the middle, or refused, leave no half of a pair behind', async () => {
    const threads = open({ threads: 2 });
    const controller = new AbortController();
    const onBatch = () => controller.abort();
    await expect(threads.run(hashMedia, { onBatch, signal: controller.signal })).rejects.toMatchObject({ code: 'task.aborted' });
    const wrong = { ...hashMedia, image: { format: 'ewf', paths: image.paths } };
    await expect(threads.run(wrong, quiet)).rejects.toBeInstanceOf(TaskError);
    expect((await threads.run(hashMedia, quiet)).media.md5).toBe(md5);
  });
});

it('closed in the middle of work it ends all tasks and itself', async () => {
  const threads = open();
  const zip = zipOf(await listed(threads));
  const tasks = [threads.run(examine(zip), quiet), threads.run(digestFiles(), quiet)].map((task) => task.catch((error: unknown) => error));
  await sleep(100);
  const begun = performance.now();
  await threads.close();
  pool = null;
  expect(performance.now() - begun).toBeLessThan(20_000);
  await Promise.all(tasks);
});

it('the turnstile lets in by places, in the order of arrival, and nobody past one who waits', async () => {
  const turnstile = new Turnstile(3);
  const order: string[] = [];
  const enter = async (name: string, places: number) => {
    const leave = await turnstile.enter(places);
    order.push(name);
    return leave;
  };
  const a = await enter('a', 2);
  const waiting = enter('b', 2); // one place is free: too few
  const behind = enter('c', 1); // would fit, but b was first
  await sleep(10);
  expect(order).toEqual(['a']);
  a();
  a(); // leaving twice gives nothing twice
  const [b, c] = await Promise.all([waiting, behind]);
  expect(order).toEqual(['a', 'b', 'c']);
  const last = enter('d', 1);
  await sleep(10);
  expect(order).toEqual(['a', 'b', 'c']);
  b();
  (await last)();
  c();
  (await turnstile.enter(3))();
});
