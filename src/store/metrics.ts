/** What the database tells of the whole installation, in numbers: for /metrics. No names, no references, no ids. */
import { type Pool } from 'pg';

export interface InstallationNumbers {
  readonly unitsByState: readonly {
    readonly kind: string;
    readonly state: 'waiting' | 'held' | 'paused';
    readonly units: number;
    readonly bytes: number;
  }[];
  readonly oldestWaitingSeconds: number;
  readonly unitsQuarantined: number;
  readonly examinations: readonly { readonly status: string; readonly count: number }[];
  readonly workers: readonly { readonly state: string; readonly count: number; readonly threads: number; readonly concurrency: number }[];
  readonly uploadsOpen: number;
  readonly ledgerEvents: number;
  readonly auditEvents: number;
}

/** Paused: of an examination that begins nothing. */
const unitsByState = `
  select kind, state, count(*)::int as units, sum(bytes)::float8 as bytes, max(age) as age from (
    select kind, bytes, extract(epoch from clock_timestamp() - uuid_extract_timestamp(unit.id))::float8 as age,
      case when lease_until >= clock_timestamp() then 'held' when paused_at is not null then 'paused' else 'waiting' end as state
    from unit join examination on examination.id = examination_id where unit.status = 'open') open
  group by kind, state order by kind, state`;

export async function readInstallationNumbers(pool: Pool): Promise<InstallationNumbers> {
  const [units, examinations, workers, single] = await Promise.all([
    pool.query<InstallationNumbers['unitsByState'][number] & { age: number }>(unitsByState),
    pool.query<InstallationNumbers['examinations'][number]>('select status, count(*)::int as count from examination group by status'),
    pool.query<InstallationNumbers['workers'][number]>(
      'select state, count(*)::int as count, sum(threads)::int as threads, sum(concurrency)::int as concurrency from worker group by state',
    ),
    pool.query<Pick<InstallationNumbers, 'uploadsOpen' | 'ledgerEvents' | 'auditEvents' | 'unitsQuarantined'>>(
      `select (select count(*)::int from upload where status in ('receiving', 'checking')) as "uploadsOpen",
         (select coalesce(sum(seq + 1), 0)::float8 from ledger_head) as "ledgerEvents",
         (select (seq + 1)::float8 from audit_head) as "auditEvents",
         (select count(*)::int from unit where status = 'quarantined') as "unitsQuarantined"`,
    ),
  ]);
  const waiting = units.rows.filter(({ state }) => state === 'waiting');
  return {
    unitsByState: units.rows.map(({ kind, state, units: count, bytes }) => ({ kind, state, units: count, bytes })),
    oldestWaitingSeconds: Math.max(0, ...waiting.map(({ age }) => age)),
    examinations: examinations.rows,
    workers: workers.rows,
    ...single.rows[0]!,
  };
}

export interface ProblemNumbers {
  readonly total: number;
  readonly hidingEvidence: number;
}

/** Reads an index of all problems: not for every scrape. */
export async function countAllProblems(pool: Pool): Promise<ProblemNumbers> {
  const { rows } = await pool.query<ProblemNumbers>(
    'select count(*)::float8 as total, (count(*) filter (where hides_evidence))::float8 as "hidingEvidence" from problem',
  );
  return rows[0]!;
}
