/** `custodia serve`: the API and a worker, until it is told to stop. */
import { availableParallelism } from 'node:os';
import { Command } from 'commander';
import { refuseUnusableDataFolder } from './cli/data-folder.ts';
import { CommandError, exitCodes } from './cli/exit-codes.ts';
import { type Running, startGracefully } from './cli/graceful.ts';
import { runCommand } from './cli/run.ts';
import { jsonLine } from './cli/terminal.ts';
import { portNumber, wholeNumber } from './cli/whole-number.ts';
import { readConfig } from './config.ts';
import { allRoutes } from './http/all-routes.ts';
import { readOidcSettings } from './http/oidc-settings.ts';
import { readTrustedProxies } from './http/proxies.ts';
import { type Api } from './http/route.ts';
import { boardRoutes } from './http/routes/board.ts';
import { healthRoutes } from './http/routes/health.ts';
import { metricsRoutes } from './http/routes/metrics.ts';
import { oidcRoutes } from './http/routes/oidc.ts';
import { createServer, createService } from './http/server.ts';
import { type Installation, openWithWorker } from './installation.ts';
import { type Supervisor, startSupervisor } from './pipeline/supervisor.ts';
import { bootstrap } from './store/tokens.ts';

interface Flags {
  readonly data?: string;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly host: string;
  readonly port: number;
  readonly json?: boolean;
}

const readFlags = (): Flags =>
  new Command('custodia serve')
    .description('Serves the API on this machine and works on what is submitted.')
    .exitOverride()
    .option('--data <folder>', 'folder of the embedded database (default: ./custodia-data)')
    .option('--threads <number>', 'threads of this process', wholeNumber)
    .option('--concurrency <number>', 'units worked on at once', wholeNumber)
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on', portNumber, 7400)
    .option('--json', 'answer in JSON lines')
    .parse()
    .opts<Flags>();

async function answers({ database, log }: Installation): Promise<boolean> {
  try {
    await database.query('select 1');
    return true;
  } catch (error) {
    log.warn({ err: error }, 'health: the database does not answer');
    return false;
  }
}

async function serve(flags: Flags, stopped: AbortSignal): Promise<Running> {
  const config = readConfig({ ...flags, isService: true }, process.env, availableParallelism());
  await refuseUnusableDataFolder(config.dataFolder);
  const { installation, worker } = await openWithWorker(config, stopped);
  try {
    const checks = async () => ({ database: await answers(installation), queue: worker.healthy() });
    const service = createService(installation, { secure: process.env.CUSTODIA_URL?.startsWith('https:') === true });
    const provider = readOidcSettings(process.env);
    const api = await createServer({
      service,
      version: installation.version,
      trustedProxies: readTrustedProxies(process.env),
      routes: provider === null ? allRoutes : [...allRoutes, oidcRoutes(provider)],
      rootRoutes: [healthRoutes({ checks }), metricsRoutes({ ofInstallation: true }), boardRoutes],
    });
    const address = await listen(api, flags);
    const token = await bootstrap(installation.database).catch(async (error: unknown) => {
      await api.close();
      throw error;
    });
    const supervisor = superviseFleet(installation);
    process.stdout.write(flags.json ? jsonLine({ event: 'serving', address }) : `serving on ${address}\n`);
    if (token !== null) process.stdout.write(flags.json ? jsonLine({ event: 'administrator', token }) : firstStart(token));
    return {
      async stop(error) {
        if (error !== undefined) installation.log.error({ err: error }, 'stopping because of an error');
        await api.close();
        await Promise.all([supervisor.stop(), worker.stop({ abort: true })]);
        await installation.close();
        await installation.exit(error === undefined ? 0 : 1);
      },
    };
  } catch (error) {
    await worker.stop({ abort: true });
    await installation.close();
    throw error;
  }
}

/** Further workers of this host: as many as the API was told, with as many threads each as this process has. */
function superviseFleet({ database, config, log }: Installation): Supervisor {
  const { dataFolder, threads, concurrency } = config;
  const workArguments = ['--data', dataFolder, '--threads', String(threads), '--concurrency', String(concurrency)];
  const onTrouble = (message: string, error: unknown) => log.warn(error === null ? {} : { err: error }, message);
  return startSupervisor({ database, workArguments, onTrouble });
}

const firstStart = (token: string) =>
  `administrator token, good for one account or token within 24 hours (lost: custodia administrator):\n${token}\n`;

async function listen(api: Api, { host, port }: Flags): Promise<string> {
  try {
    return await api.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(exitCodes.refused, 'serve.address', `${host}, port ${port}: cannot be listened on (${code})`);
  }
}

await runCommand(async () => {
  const flags = readFlags();
  await startGracefully((stopped) => serve(flags, stopped));
});
