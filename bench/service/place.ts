/** An installation of the bench's own in a temporary folder, with two agencies, and further worker processes where they are asked for. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { type Installation, openInstallation } from '../../src/installation.ts';

export interface Place {
  readonly installation: Installation;
  /** Resolves when it takes units. */
  startWorker(threads: number): Promise<ChildProcess>;
  /** An agency with an account that may start examinations in a case of the agency's. */
  agency(name: string): Promise<Party>;
  close(): Promise<void>;
}

export interface Party {
  readonly agencyId: string;
  readonly accountId: string;
  readonly caseReference: string;
  readonly token: string;
}

export async function openPlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-bench-'));
  const environment = { CUSTODIA_DATA: folder, CUSTODIA_LOG: 'error', CUSTODIA_RESERVE: '0' };
  const installation = await openInstallation(readConfig({ threads: 1 }, environment, 1));
  const { database } = installation;
  const workers: ChildProcess[] = [];
  const insert = async (statement: string, values: readonly unknown[]) =>
    (await database.query<{ id: string }>(`${statement} returning id`, [...values])).rows[0]!.id;
  return {
    installation,
    async startWorker(threads) {
      const arguments_ = [join(import.meta.dirname, '..', '..', 'src', 'work.ts'), '--json', '--threads', String(threads)];
      const child = spawn(process.execPath, arguments_, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'inherit'] });
      workers.push(child);
      await new Promise((resolve) => child.stdout.once('data', resolve));
      return child;
    },
    async agency(name) {
      const agencyId = await insert('insert into agency (name) values ($1)', [name]);
      const accountId = await insert('insert into account (agency_id, login, name) values ($1, $2, $2)', [agencyId, name]);
      const caseReference = `case of ${name}`;
      const caseId = await insert('insert into case_file (agency_id, reference) values ($1, $2)', [agencyId, caseReference]);
      await database.query(`insert into case_member (case_id, account_id, role) values ($1, $2, 'lab-lead')`, [caseId, accountId]);
      const token = `cst_${randomBytes(32).toString('base64url')}`;
      await insert(
        `insert into api_token (account_id, name, secret_sha256, scopes, expires_at)
         values ($1, 'bench', $2, array['read', 'content', 'submit'], now() + interval '1 day')`,
        [accountId, createHash('sha256').update(token).digest()],
      );
      return { agencyId, accountId, caseReference, token };
    },
    async close() {
      const gone = workers.map((child) => new Promise((resolve) => (child.exitCode === null ? child.once('exit', resolve) : resolve(0))));
      for (const child of workers) child.kill('SIGTERM');
      await Promise.all(gone);
      await installation.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The value that so many hundredths of all do not exceed. */
export function percentile(values: readonly number[], hundredths: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((hundredths / 100) * sorted.length) - 1)] ?? Number.NaN;
}
