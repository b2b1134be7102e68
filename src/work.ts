/** `custodia work`: one more worker process, on this machine or another. */
import { availableParallelism } from 'node:os';
import closeWithGrace from 'close-with-grace';
import { Command, Option } from 'commander';
import { runCommand } from './cli/run.ts';
import { jsonLine } from './cli/terminal.ts';
import { wholeNumber } from './cli/whole-number.ts';
import { readConfig } from './config.ts';
import { type Installation, openWithWorker } from './installation.ts';
import { type WorkerProcess } from './pipeline/worker-process.ts';

interface Flags {
  readonly data?: string;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly json?: boolean;
  readonly supervised?: boolean;
}

const readFlags = (): Flags =>
  new Command('custodia work')
    .description('Takes units from the queue until it is told to stop (SIGTERM or Ctrl-C: what is under way is given back).')
    .exitOverride()
    .option('--data <folder>', 'folder of the embedded database (default: ./custodia-data)')
    .option('--threads <number>', 'threads of this process', wholeNumber)
    .option('--concurrency <number>', 'units worked on at once', wholeNumber)
    .option('--json', 'answer in JSON lines')
    .addOption(new Option('--supervised', 'end when standard input does').hideHelp())
    .parse()
    .opts<Flags>();

if (process.argv.includes('--supervised')) endWithSupervisor();

await runCommand(async () => {
  const flags = readFlags();
  const config = readConfig(flags, process.env, availableParallelism());
  const { installation, worker } = await openWithWorker(config);
  const { threads, concurrency } = config;
  process.stdout.write(
    flags.json
      ? jsonLine({ event: 'working', worker: worker.id, threads, concurrency })
      : `worker ${worker.id}: ${threads} threads, ${concurrency} units at once\n`,
  );
  stopInOrder(installation, worker, watchOver(installation, worker));
  void worker.drained.then(() => process.kill(process.pid, 'SIGTERM')); // nothing is held any more: ended as any other time, with status 0
});

/** Whoever started this process holds its standard input; with that process gone, even by SIGKILL, it ends. Also while it still starts. */
function endWithSupervisor(): void {
  process.stdin.once('close', () => process.kill(process.pid, 'SIGTERM'));
  process.stdin.resume();
}

function watchOver(installation: Installation, worker: WorkerProcess): NodeJS.Timeout {
  return setInterval(() => {
    if (worker.healthy()) return;
    installation.log.fatal('the queue has given no sign of life for half a minute: this process ends, and its units go to others');
    void installation.exit(1);
  }, 5000);
}

function stopInOrder(installation: Installation, worker: WorkerProcess, watchdog: NodeJS.Timeout): void {
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
}
