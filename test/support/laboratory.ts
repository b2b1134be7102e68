/** An installation of the test's own with real worker processes: images are submitted here, the work is done there. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultLimits, readConfig } from '../../src/config.ts';
import { type Profile, type ThreadPool } from '../../src/evidence/task.ts';
import { type Installation, openInstallation } from '../../src/installation.ts';
import { type Submitted, submit } from '../../src/pipeline/submit.ts';
import { startWorkerProcess, type WorkerProcess } from '../../src/pipeline/worker-process.ts';
import { type Conclusion } from '../../src/store/conclusion.ts';
import { readExamination } from '../../src/store/examinations.ts';

export const profile: Profile = { digests: ['md5', 'sha1', 'sha256'], limits: defaultLimits };

export interface WorkerChild {
  readonly process: ChildProcess;
  /** The id under which it is registered. Rejects when it ends before it works. */
  readonly working: Promise<string>;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** What it wrote to its standard error: the log. */
  log(): string;
}

export interface LaboratoryOptions {
  readonly databaseUrl: string;
  readonly queueUrl?: string | null;
  /** `CUSTODIA_...`, for the workers and for this process. */
  readonly environment?: NodeJS.ProcessEnv;
}

export interface Laboratory {
  readonly dataFolder: string;
  readonly installation: Installation;
  submit(imagePath: string, exhibit: string): Promise<Submitted>;
  startWorker(options?: { threads?: number; concurrency?: number; environment?: NodeJS.ProcessEnv }): WorkerChild;
  /** The same in this process, on threads of the test's choice; `heard` gathers what went wrong. */
  workHere(threads: ThreadPool, heard: string[]): Promise<WorkerProcess>;
  /** Until the examination has come to its end. */
  concluded(examinationId: string, patienceMs?: number): Promise<{ status: string; conclusion: Conclusion }>;
  /** Ends the workers and removes everything. */
  close(): Promise<void>;
}

const workFile = join(import.meta.dirname, '..', '..', 'src', 'work.ts');

export async function openLaboratory({ databaseUrl, queueUrl = null, environment = {} }: LaboratoryOptions): Promise<Laboratory> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'custodia-laboratory-'));
  const given = { CUSTODIA_DATA: dataFolder, DATABASE_URL: databaseUrl, QUEUE_URL: queueUrl ?? '', CUSTODIA_RESERVE: '0', ...environment };
  const installation = await openInstallation(readConfig({ threads: 1 }, { CUSTODIA_LOG: 'fatal', ...given }, 1));
  const children = new Set<WorkerChild>();
  return {
    dataFolder,
    installation,
    async submit(imagePath, exhibit) {
      const { threads, database, recorder } = installation;
      const signal = new AbortController().signal;
      const image = await threads.run({ kind: 'find-segments', path: imagePath }, { onBatch: () => undefined, signal });
      const submission = { caseReference: 'case 7', exhibit, examiner: 'Exam Iner', image, profile };
      return submit(database, await installation.queue(), recorder, submission);
    },
    startWorker({ threads = 1, concurrency = threads, environment: own = {} } = {}) {
      const child = startChild(['--threads', String(threads), '--concurrency', String(concurrency)], { ...given, ...own });
      children.add(child);
      void child.exited.then(() => children.delete(child));
      return child;
    },
    async workHere(threads, heard) {
      const { database, recorder, config, version } = installation;
      const { leaseMs, failuresAllowed, lossesAllowed } = config;
      const queue = await installation.queue();
      const place = { database, queue, threads, recorder, dataFolder, leaseMs, failuresAllowed, lossesAllowed };
      const onTrouble = (message: string) => void heard.push(message);
      return startWorkerProcess({ ...place, onProgress: () => undefined, onTrouble }, config, version);
    },
    async concluded(examinationId, patienceMs = 50_000) {
      for (const deadline = Date.now() + patienceMs; ; await sleep(50)) {
        const found = await readExamination(installation.database, examinationId);
        const { status, conclusion } = found!.examination;
        if (status !== 'open' && status !== 'concluding') return { status, conclusion: conclusion as Conclusion };
        if (Date.now() > deadline) throw new Error(`examination ${examinationId} is still ${status} after ${patienceMs} ms`);
      }
    },
    async close() {
      for (const child of children) child.process.kill('SIGKILL');
      await Promise.all([...children].map(({ exited }) => exited));
      await installation.close();
      rmSync(dataFolder, { recursive: true, force: true });
    },
  };
}

function startChild(flags: readonly string[], environment: NodeJS.ProcessEnv): WorkerChild {
  const { PATH, HOME, TMPDIR } = process.env;
  const child = spawn(process.execPath, [workFile, '--json', ...flags], {
    env: { PATH, HOME, TMPDIR, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString('utf8')).slice(-100_000);
  });
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const working = new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('\n')) resolve((JSON.parse(text.slice(0, text.indexOf('\n'))) as { worker: string }).worker);
    });
    void exited.then(({ code, signal }) => reject(new Error(`worker ended (${signal ?? code}) before it worked:\n${log}`)));
  });
  working.catch(() => undefined); // whoever waits for it is told; a worker that is killed at its start has nobody waiting
  return { process: child, working, exited, log: () => log };
}
