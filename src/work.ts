/** `custodia work`: one more worker process, on this machine or another. */
import { availableParallelism } from 'node:os';
import closeWithGrace from 'close-with-grace';
import { Command } from 'commander';
import { readConfig } from './config.ts';
import { openInstallation } from './installation.ts';

const flags = new Command('custodia work')
  .description('Takes units from the queue until it is told to stop (SIGTERM or Ctrl-C: what is under way is given back).')
  .option('--data <folder>', 'folder of the embedded database (default: ./custodia-data)')
  .option('--threads <number>', 'threads of this process', Number)
  .option('--concurrency <number>', 'units worked on at once', Number)
  .option('--json', 'answer in JSON lines')
  .parse()
  .opts<{ data?: string; threads?: number; concurrency?: number; json?: boolean }>();

const config = readConfig(flags, process.env, availableParallelism());
const installation = await openInstallation(config);
const worker = await installation.startWorker(() => undefined);
const { threads, concurrency } = config;
process.stdout.write(
  flags.json
    ? `${JSON.stringify({ event: 'working', worker: worker.id, threads, concurrency })}\n`
    : `worker ${worker.id}: ${threads} threads, ${concurrency} units at once\n`,
);

const watchdog = setInterval(() => {
  if (worker.healthy()) return;
  installation.log.fatal('the queue has given no sign of life for half a minute: this process ends, and its units go to others');
  void installation.exit(1);
}, 5000);

closeWithGrace({ delay: 30_000 }, async ({ err }) => {
  if (err !== undefined) installation.log.error({ err }, 'stopping because of an error');
  clearInterval(watchdog);
  try {
    await worker.stop({ abort: true });
    await installation.close();
  } catch (error) {
    installation.log.error({ err: error }, 'not everything could be given back: other workers find it');
    await installation.exit(1);
  }
  await installation.exit(err === undefined ? 0 : 1);
});
