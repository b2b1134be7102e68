/** `custodia work`: one more worker process, on this machine or another. */
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { CommandError, exitCodes } from './cli/exit-codes.ts';
import { type Running, startGracefully } from './cli/graceful.ts';
import { runCommand } from './cli/run.ts';
import { jsonLine } from './cli/terminal.ts';
import { portNumber, wholeNumber } from './cli/whole-number.ts';
import { readConfig } from './config.ts';
import { type Api } from './http/route.ts';
import { healthRoutes } from './http/routes/health.ts';
import { metricsRoutes } from './http/routes/metrics.ts';
import { createServer, createService } from './http/server.ts';
import { type Installation, openWithWorker } from './installation.ts';
import { type WorkerProcess } from './pipeline/worker-process.ts';

interface Flags {
  readonly data?: string;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly metricsHost: string;
  readonly metricsPort?: number;
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
    .option('--metrics-port <number>', 'serve /metrics, /healthz and /readyz of this process on this port', portNumber)
    .option('--metrics-host <address>', 'address for them to listen on', '127.0.0.1')
    .option('--json', 'answer in JSON lines')
    .addOption(new Option('--supervised', 'end when standard input does').hideHelp())
    .parse()
    .opts<Flags>();

if (process.argv.includes('--supervised')) endWithSupervisor();

await runCommand(async () => {
  const flags = readFlags();
  const { worker } = await startGracefully((stopped) => start(flags, stopped));
  void worker.drained.then(() => process.kill(process.pid, 'SIGTERM')); // nothing is held any more: ended as any other time, with status 0
});

async function start(flags: Flags, stopped: AbortSignal): Promise<Running & { readonly worker: WorkerProcess }> {
  const config = readConfig({ ...flags, isService: true }, process.env, availableParallelism());
  const { installation, worker } = await openWithWorker(config, stopped);
  const { threads, concurrency } = config;
  process.stdout.write(
    flags.json
      ? jsonLine({ event: 'working', worker: worker.id, threads, concurrency })
      : `worker ${worker.id}: ${threads} threads, ${concurrency} units at once\n`,
  );
  const ops = flags.metricsPort === undefined ? null : await serveOps(installation, worker, flags.metricsHost, flags.metricsPort);
  const watchdog = watchOver(installation, worker);
  return {
    worker,
    async stop(error) {
      clearInterval(watchdog);
      await stopInOrder(installation, worker, ops, error);
    },
  };
}

/** Whoever started this process holds its standard input; with that process gone, even by SIGKILL, it ends. Also while it still starts. */
function endWithSupervisor(): void {
  process.stdin.once('close', () => process.kill(process.pid, 'SIGTERM'));
  process.stdin.resume();
}

/** As the service has them, with the same rights; of the whole installation the service alone tells. */
async function serveOps(installation: Installation, worker: WorkerProcess, host: string, port: number): Promise<Api> {
  const checks = async () => ({ queue: worker.healthy() });
  const rootRoutes = [healthRoutes({ checks }), metricsRoutes({ ofInstallation: false })];
  const api = await createServer({ service: createService(installation), version: installation.version, routes: [], rootRoutes });
  try {
    await api.listen({ host, port });
    return api;
  } catch (error) {
    await worker.stop({ abort: true });
    await installation.close();
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(exitCodes.refused, 'serve.address', `${host}, port ${port}: cannot be listened on (${code})`);
  }
}

function watchOver(installation: Installation, worker: WorkerProcess): NodeJS.Timeout {
  return setInterval(() => {
    if (worker.healthy()) return;
    installation.log.fatal('the queue has given no sign of life for half a minute: this process ends, and its units go to others');
    void installation.exit(1);
  }, 5000);
}

async function stopInOrder(installation: Installation, worker: WorkerProcess, ops: Api | null, error: Error | undefined): Promise<void> {
  if (error !== undefined) installation.log.error({ err: error }, 'stopping because of an error');
  await ops?.close();
  try {
    await worker.stop({ abort: true });
    await installation.close();
  } catch (failure) {
    installation.log.error({ err: failure }, 'not everything could be given back: other workers find it');
    await installation.exit(1);
  }
  await installation.exit(error === undefined ? 0 : 1);
}
