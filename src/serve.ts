/** `custodia serve`: the API and a worker, until it is told to stop. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { Command } from 'commander';
import { CommandError } from './cli/exit-codes.ts';
import { findSets, standardProfile } from './cli/process.ts';
import { readConfig } from './config.ts';
import { type ApiWork, createApi, RefusedError, type SubmitRequest } from './http/api.ts';
import { type Installation, openInstallation } from './installation.ts';
import { submit } from './pipeline/submit.ts';
import { type WorkerProcess } from './pipeline/worker-process.ts';
import { writeExaminationReport } from './reports/assemble.ts';
import { countProblems } from './store/catalogue.ts';
import { listExaminations, readExamination } from './store/examinations.ts';
import { countUnits } from './store/units.ts';

const flags = new Command('custodia serve')
  .description('Serves the API on this machine and works on what is submitted.')
  .option('--data <folder>', 'folder of the embedded database (default: ./custodia-data)')
  .option('--threads <number>', 'threads of this process', Number)
  .option('--concurrency <number>', 'units worked on at once', Number)
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--port <number>', 'port to listen on', Number, 7400)
  .option('--json', 'answer in JSON lines')
  .parse()
  .opts<{ data?: string; threads?: number; concurrency?: number; host: string; port: number; json?: boolean }>();

/** Made at the first start, readable by the owner only. */
async function apiToken(dataFolder: string): Promise<{ token: string; path: string }> {
  const path = join(dataFolder, 'keys', 'api.token');
  await mkdir(join(dataFolder, 'keys'), { recursive: true, mode: 0o700 });
  if (!existsSync(path)) await writeFile(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  return { token: (await readFile(path, 'utf8')).trim(), path };
}

function workFor(installation: Installation, worker: WorkerProcess): ApiWork {
  const { database, config } = installation;
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
      const folder = join(config.dataFolder, 'examinations', id, 'report');
      if (!existsSync(folder)) await writeExaminationReport(installation, id, folder);
      return join(folder, name);
    },
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
    const [image] = await findSets(installation, [resolve(request.image)], new AbortController().signal);
    if (image === undefined) throw new RefusedError('image.not-found', `${request.image}: not found`);
    const { case: caseReference, exhibit, examiner } = request;
    const submission = { caseReference, exhibit, examiner, image, profile: standardProfile };
    const { examinationId, resumed } = await submit(installation.database, await installation.queue(), installation.recorder, submission);
    return { id: examinationId, resumed };
  } catch (error) {
    if (error instanceof CommandError) throw new RefusedError(error.code, error.message);
    throw error;
  }
}

const installation = await openInstallation(readConfig(flags, process.env, availableParallelism()));
const worker = await installation.startWorker(() => undefined);
const { token, path } = await apiToken(installation.config.dataFolder);
const api = createApi(workFor(installation, worker), token);
const address = await api.listen({ host: flags.host, port: flags.port });
process.stdout.write(
  flags.json
    ? `${JSON.stringify({ event: 'serving', address, token: path })}\n`
    : `serving on ${address}; the token of the API is in ${path}\n`,
);

closeWithGrace({ delay: 30_000 }, async ({ err }) => {
  if (err !== undefined) installation.log.error({ err }, 'stopping because of an error');
  await api.close();
  await worker.stop({ abort: true });
  await installation.close();
});
