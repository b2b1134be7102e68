/** `custodia serve`: the API and a worker, until it is told to stop. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { Command, InvalidArgumentError } from 'commander';
import { refuseUnusableDataFolder } from './cli/data-folder.ts';
import { CommandError, exitCodes } from './cli/exit-codes.ts';
import { refuseDeceptiveNames } from './cli/names.ts';
import { findSets, profileWith } from './cli/process.ts';
import { runCommand } from './cli/run.ts';
import { jsonLine } from './cli/terminal.ts';
import { wholeNumber } from './cli/whole-number.ts';
import { readConfig } from './config.ts';
import { type ApiWork, createApi, RefusedError, type SubmitRequest } from './http/api.ts';
import { apiToken } from './http/token.ts';
import { type Installation, openWithWorker } from './installation.ts';
import { submit } from './pipeline/submit.ts';
import { TaskError } from './pipeline/task-error.ts';
import { type WorkerProcess } from './pipeline/worker-process.ts';
import { writeExaminationReport } from './reports/assemble.ts';
import { countProblems } from './store/catalogue.ts';
import { listExaminations, readExamination } from './store/examinations.ts';
import { countUnits } from './store/units.ts';

interface Flags {
  readonly data?: string;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly host: string;
  readonly port: number;
  readonly json?: boolean;
}

function portNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65535) throw new InvalidArgumentError('expected a number from 0 to 65535 (0: any free port)');
  return value;
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

function workFor(installation: Installation, worker: WorkerProcess): ApiWork {
  const { database } = installation;
  const reportFolder = reportFolders(installation);
  return {
    async healthy() {
      const checks = { database: await answers(installation), queue: worker.healthy() };
      return { ok: Object.values(checks).every(Boolean), checks };
    },
    submit: (request) => submitImage(installation, request),
    async status(id) {
      const found = await readExamination(database, id);
      if (found === null) return null;
      const { examination, exhibit } = found;
      const { status, image, created_at: created, concluded_at: concluded, conclusion } = examination;
      const [units, problems] = await Promise.all([countUnits(database, id), countProblems(database, id)]);
      return { id, case: exhibit.caseReference, exhibit: exhibit.label, status, image, created, concluded, units, problems, conclusion };
    },
    list: () => listExaminations(database, 1000),
    async reportFile(id, name) {
      const found = await readExamination(database, id);
      if (found === null || !['complete', 'integrity-failed'].includes(found.examination.status)) return null;
      const folder = await reportFolder(id);
      return join(folder, name);
    },
  };
}

/** Each report is written once, however many ask for it at the same time. */
function reportFolders(installation: Installation): (id: string) => Promise<string> {
  const underWay = new Map<string, Promise<unknown>>();
  return async (id) => {
    const folder = join(installation.config.dataFolder, 'examinations', id, 'report');
    if (existsSync(folder)) return folder;
    const writing = underWay.get(id) ?? writeExaminationReport(installation, id, folder).finally(() => underWay.delete(id));
    underWay.set(id, writing);
    await writing;
    return folder;
  };
}

async function answers({ database, log }: Installation): Promise<boolean> {
  try {
    await database.query('select 1');
    return true;
  } catch (error) {
    log.warn({ err: error }, 'health: the database does not answer');
    return false;
  }
}

async function submitImage(installation: Installation, request: SubmitRequest): Promise<{ id: string; resumed: boolean }> {
  try {
    refuseDeceptiveNames(request);
    if (/[\0\p{Cs}]/u.test(request.image)) throw new RefusedError('image.not-found', 'image: holds characters that no path has');
    const [image] = await findSets(installation, [resolve(request.image)], new AbortController().signal);
    if (image === undefined) throw new RefusedError('image.not-found', `${request.image}: not found`);
    const { case: caseReference, exhibit, examiner } = request;
    const submission = { caseReference, exhibit, examiner, image, profile: profileWith([]) };
    const { examinationId, resumed } = await submit(installation.database, await installation.queue(), installation.recorder, submission);
    return { id: examinationId, resumed };
  } catch (error) {
    if (error instanceof CommandError || (error instanceof TaskError && error.final)) throw new RefusedError(error.code, error.message);
    throw error;
  }
}

async function serve(flags: Flags): Promise<void> {
  const config = readConfig(flags, process.env, availableParallelism());
  await refuseUnusableDataFolder(config.dataFolder);
  const { installation, worker } = await openWithWorker(config);
  try {
    const { token, path } = await apiToken(join(installation.config.dataFolder, 'keys'));
    const api = createApi(workFor(installation, worker), token, (error) => installation.log.error({ err: error }, 'a request failed'));
    const address = await listen(api, flags);
    closeWithGrace({ delay: 30_000 }, async ({ err }) => {
      if (err !== undefined) installation.log.error({ err }, 'stopping because of an error');
      await api.close();
      await worker.stop({ abort: true });
      await installation.close();
    });
    process.stdout.write(
      flags.json ? jsonLine({ event: 'serving', address, token: path }) : `serving on ${address}; the token of the API is in ${path}\n`,
    );
  } catch (error) {
    await worker.stop({ abort: true });
    await installation.close();
    throw error;
  }
}

async function listen(api: ReturnType<typeof createApi>, { host, port }: Flags): Promise<string> {
  try {
    return await api.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(exitCodes.refused, 'serve.address', `${host}, port ${port}: cannot be listened on (${code})`);
  }
}

await runCommand(() => serve(readFlags()));
