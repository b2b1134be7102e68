/** The step `hash-media` alone, on a pool of threads in a process of its own: prints what it found. */
import { availableParallelism } from 'node:os';
import { leafSize, readConfig } from '../src/config.ts';
import { openThreadPool } from '../src/pipeline/piscina-pool.ts';

const path = process.argv[2]!;
const { threads: count, threadHeapMiB: heapMiB, silenceMs } = readConfig({}, process.env, availableParallelism());
const threads = openThreadPool({
  threads: count,
  heapMiB,
  silenceMs,
  onError: (error) => process.stderr.write(`${error}\n`),
});
const options = { onBatch: () => undefined, signal: new AbortController().signal };
try {
  const image = await threads.run({ kind: 'find-segments', path }, options);
  const { mediaSize, media, segments } = await threads.run({ kind: 'hash-media', image, leafSize }, options);
  process.stdout.write(`${JSON.stringify({ mediaSize, media, segments })}\n`);
} finally {
  await threads.close();
}
