/** How far examinations have come, as whoever follows them is told. */
import { type Pool, type PoolClient } from 'pg';
import { type ExaminationStatus, type UnitKind, type UnitStatus } from './schema.ts';

export interface UnitProgress {
  readonly kind: UnitKind;
  readonly status: UnitStatus;
  readonly units: number;
  readonly files: number;
  readonly bytes: number;
}

export interface ExaminationProgress {
  readonly examination: string;
  readonly status: ExaminationStatus;
  /** Units that the conclusion waits for. */
  readonly openUnits: number;
  readonly units: readonly UnitProgress[];
  /** What workers hold, and how far they have come with it: told by them every third of their lease. */
  readonly underWay: { readonly units: number; readonly files: number; readonly bytes: number };
  /** `size` null: not known yet. */
  readonly medium: { readonly size: number | null; readonly hashed: number };
  readonly problems: { readonly total: number; readonly hidingEvidence: number };
}

export const hasEnded = (status: ExaminationStatus): boolean => status !== 'open' && status !== 'concluding';

interface Counted extends UnitProgress {
  readonly held: number;
  readonly held_files: number;
  readonly held_bytes: number;
}

const countUnits = `
  select kind, status, count(*)::int as units, sum(files)::float8 as files, sum(bytes)::float8 as bytes,
    (count(*) filter (where worker_id is not null))::int as held,
    coalesce(sum(progress_files) filter (where worker_id is not null), 0)::float8 as held_files,
    coalesce(sum(progress_bytes) filter (where worker_id is not null), 0)::float8 as held_bytes
  from unit where examination_id = $1 group by kind, status order by kind, status`;

/** Null when there is no such examination. `previous`: what was told last; problems are counted anew only where a unit has ended since. */
export async function readProgress(pool: Pool, id: string, previous: ExaminationProgress | null): Promise<ExaminationProgress | null> {
  const { rows: found } = await pool.query<{ status: ExaminationStatus; open_units: number }>(
    'select status, open_units from examination where id = $1',
    [id],
  );
  const examination = found[0];
  if (examination === undefined) return null;
  // after the status: where that says that it has ended, the counts are the last
  const { rows } = await pool.query<Counted>(countUnits, [id]);
  const units = rows.map(({ kind, status, units, files, bytes }) => ({ kind, status, units, files, bytes }));
  const open = rows.filter(({ status }) => status === 'open');
  const sum = (what: 'held' | 'held_files' | 'held_bytes') => open.reduce((total, row) => total + row[what], 0);
  const problems = previous !== null && ended(units) === ended(previous.units) ? previous.problems : await countProblems(pool, id);
  const size = previous?.medium.size ?? (await readMediaSize(pool, id));
  const hashing = open.find(({ kind }) => kind === 'hash-media');
  return {
    examination: id,
    status: examination.status,
    openUnits: examination.open_units,
    units,
    underWay: { units: sum('held'), files: sum('held_files'), bytes: sum('held_bytes') },
    medium: { size, hashed: hashing === undefined ? (size ?? 0) : hashing.held_bytes },
    problems,
  };
}

/** Told by whichever of the first two units has ended. */
async function readMediaSize(pool: Pool, id: string): Promise<number | null> {
  const { rows } = await pool.query<{ size: number | null }>(
    `select max((result->>'mediaSize')::float8) as size from unit where examination_id = $1 and kind in ('hash-media', 'survey') and status = 'done'`,
    [id],
  );
  return rows[0]!.size;
}

/** Problems come with the end of a unit, in the same transaction. */
const ended = (units: readonly UnitProgress[]): string => JSON.stringify(units.filter(({ status }) => status !== 'open'));

async function countProblems(pool: Pool, id: string): Promise<ExaminationProgress['problems']> {
  const { rows } = await pool.query<ExaminationProgress['problems']>(
    `select count(*)::float8 as total, (count(*) filter (where hides_evidence))::float8 as "hidingEvidence" from problem where examination_id = $1`,
    [id],
  );
  return rows[0]!;
}

export interface ListedProgress {
  readonly examination: string;
  readonly status: ExaminationStatus;
  readonly openUnits: number;
}

/** At most so many are followed at once, the newest first. */
const followedAtOnce = 1000;

/** With the eyes of the account: what is under way, and what has ended a moment ago. */
export async function readLiveExaminations(client: PoolClient): Promise<ListedProgress[]> {
  const { rows } = await client.query<ListedProgress>(
    `select id as examination, status, open_units as "openUnits" from examination
     where status in ('open', 'concluding') or concluded_at > clock_timestamp() - interval '10 seconds'
     order by id desc limit ${followedAtOnce}`,
  );
  return rows;
}
