/** A process that takes one unit from the queue and works on it until its signal aborts or it is told to finish: to be stopped and killed by tests. */

import { openUnitQueue } from '../../src/queue/open-queue.ts';
import { openPool } from '../../src/store/connection.ts';

const [databaseUrl, queueUrl, lockMs] = process.argv.slice(2);
const log = { warn: () => undefined, error: () => undefined } as never;
const pool = openPool({ url: databaseUrl!, log });
const queue = await openUnitQueue({ pool, databaseUrl: databaseUrl!, queueUrl: queueUrl || null, log, lockMs: Number(lockMs) });
const tell = (word: string) => process.stdout.write(`${word}\n`);
const worker = await queue.startWorker({
  concurrency: 1,
  async run(_unitId, signal) {
    tell('taken');
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => tell('aborted'), { once: true });
      process.stdin.once('data', () => resolve());
    });
    tell('finished');
  },
  onError: (_error, unitId) => tell(`error ${unitId === null ? 'of the queue' : 'of the unit'}`),
});
tell('ready');
process.on('SIGTERM', () => {
  void worker
    .stop({ abort: true })
    .then(() => queue.close())
    .then(() => pool.end());
});
