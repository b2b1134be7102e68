/** `custodia doctor`: what is found, missing, degraded. */
import { constants } from 'node:fs';
import { access, mkdir, statfs } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { type Config } from '../config.ts';
import { openInstallation } from '../installation.ts';
import { exitCodes } from './exit-codes.ts';
import { formatBytes, jsonLine, visible } from './terminal.ts';

interface Finding {
  readonly what: string;
  readonly state: 'ok' | 'degraded' | 'missing';
  readonly text: string;
}

type Out = { write(text: string): unknown };

/** Exit status 0 when the main job can run, 1 when not. */
export async function doctor(config: Config, json: boolean, out: Out): Promise<number> {
  const findings: Finding[] = [];
  const found = (what: string, state: Finding['state'], text: string) => {
    findings.push({ what, state, text });
    if (!json) out.write(`${state.padEnd(9)} ${what}: ${visible(text)}\n`);
  };
  const major = Number(process.versions.node.split('.')[0]);
  found('node', major >= 24 ? 'ok' : 'missing', `${process.versions.node} at ${process.execPath}, expected 24 or newer`);
  found(
    'threads',
    'ok',
    `${config.threads} threads, ${config.concurrency} units at once, ${formatBytes(totalmem())} memory, ${formatBytes(freemem())} free`,
  );
  found('isolation', 'degraded', 'hostile content is read on threads of this process, without a sandbox of the operating system');
  await lookAtFolder(config, found);
  await lookAtServices(config, found);
  const broken = findings.some(({ state }) => state === 'missing');
  if (json) out.write(jsonLine({ findings, usable: !broken }));
  else out.write(broken ? '\nthe main job cannot run\n' : '\nthe main job can run\n');
  return broken ? exitCodes.failed : exitCodes.complete;
}

type Found = (what: string, state: Finding['state'], text: string) => void;

async function lookAtFolder({ dataFolder }: Config, found: Found): Promise<void> {
  try {
    await mkdir(dataFolder, { recursive: true, mode: 0o700 });
    await access(dataFolder, constants.W_OK);
    const { bavail, bsize } = await statfs(dataFolder);
    const free = bavail * bsize;
    found('data folder', free < 1024 ** 3 ? 'degraded' : 'ok', `${dataFolder}, ${formatBytes(free)} free`);
  } catch (error) {
    found('data folder', 'missing', `${dataFolder}: ${(error as Error).message}`);
  }
}

async function lookAtServices(config: Config, found: Found): Promise<void> {
  try {
    const installation = await openInstallation(config);
    try {
      const { rows } = await installation.database.query<{ version: string; commit: string; skew: number }>(
        `select current_setting('server_version') as version, current_setting('synchronous_commit') as commit,
           extract(epoch from clock_timestamp())::float8 * 1000 - $1 as skew`,
        [Date.now()],
      );
      const { version, commit, skew } = rows[0]!;
      const kind = config.databaseUrl === null ? 'embedded' : 'external (DATABASE_URL)';
      found(
        'database',
        'ok',
        `PostgreSQL ${version}, ${kind}, synchronous_commit ${commit}, clocks ${Math.round(Math.abs(skew))} ms apart`,
      );
      const queue = await installation.queue();
      found('queue', 'ok', `BullMQ on ${queue.backend}: ${JSON.stringify(await queue.counts())}`);
      found('signing key', 'ok', installation.signer.keyId);
    } finally {
      await installation.close();
    }
  } catch (error) {
    found('services', 'missing', (error as Error).message);
  }
}
