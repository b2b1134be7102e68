/** All times of all entries of an examination, in order. */
import { type PoolClient } from 'pg';
import { type Locator } from '../evidence/locator.ts';
import { type Searched, Statement } from './entry-search.ts';

export interface TimelineFilter {
  /** Seconds since 1970 as decimal digits; `to` is excluded. */
  readonly from?: string;
  readonly to?: string;
  readonly kinds?: readonly string[];
  readonly path?: string;
  readonly allocated?: boolean;
}

export interface Moment {
  /** Seconds since 1970 on the clock that wrote it: what the timeline is ordered by. */
  readonly at: string;
  readonly nth: number;
  readonly kind: string;
  /** As the evidence has it. */
  readonly time: string;
  readonly zone: string;
  readonly resolutionNs: number;
  readonly offsetMinutes: number | null;
  readonly locator: Locator;
  readonly path: string;
  readonly allocated: boolean;
}

export type TimelinePlace = Pick<Moment, 'at' | 'locator' | 'nth'>;

const shown = `written as time, zone, resolution_ns::float8 as "resolutionNs", offset_minutes as "offsetMinutes"`;

export async function readTimeline(
  client: PoolClient,
  searched: Searched,
  filter: TimelineFilter,
  after: TimelinePlace | null,
  limit: number,
): Promise<Moment[]> {
  const statement = new Statement();
  const text =
    searched.key === null ? fromEntries(statement, searched, filter, after, limit) : fromMoments(statement, searched, filter, after, limit);
  const { rows } = await client.query<Moment>(text, statement.values);
  return rows;
}

function whereRange(statement: Statement, { from, to, kinds, path, allocated }: TimelineFilter): void {
  if (from !== undefined) statement.where(`at >= ${statement.put(from, 'numeric')}`);
  if (to !== undefined) statement.where(`at < ${statement.put(to, 'numeric')}`);
  if (kinds !== undefined) statement.where(`kind = any (${statement.put(kinds, 'text[]')})`);
  if (allocated !== undefined) statement.where(allocated ? 'allocated' : 'not allocated');
  if (path === undefined) return;
  const start = statement.put(path, 'text');
  statement.where(`left(path, 600) ^@ left(${start}, 600) and path ^@ ${start}`);
}

/** The page is cut from the narrow table; only then are its records looked at. */
function fromMoments(
  statement: Statement,
  { key, examinationId }: Searched,
  filter: TimelineFilter,
  after: TimelinePlace | null,
  limit: number,
): string {
  const mine = statement.put(key, 'int');
  statement.where(`moment.key = ${mine} and found.key = ${mine}`);
  whereRange(statement, filter);
  if (after !== null) {
    const ordinal = `(select ordinal from seen_found where key = ${mine} and locator = ${statement.put(after.locator, 'text')})`;
    statement.where(
      `(at, moment.ordinal, nth) > (${statement.put(after.at, 'numeric')}, ${ordinal}, ${statement.put(after.nth, 'smallint')})`,
    );
  }
  return `with page as materialized (
      select at, moment.ordinal, nth, moment.kind, locator, path, allocated
      from seen_moment as moment join seen_found as found on found.ordinal = moment.ordinal
      where ${statement.conditions.join(' and ')} order by at, moment.ordinal, nth limit ${statement.put(limit, 'int')})
    select at::text, page.nth, page.kind, ${shown}, page.locator, page.path, page.allocated
    from page join seen_entry as entry on entry.examination_id = ${statement.put(examinationId, 'uuid')} and entry.locator = page.locator
    cross join lateral custodia_times(record::jsonb) as told where told.nth = page.nth order by page.at, page.ordinal, page.nth`;
}

/** Of an examination that has not concluded: slower, from the records themselves. */
function fromEntries(
  statement: Statement,
  { examinationId }: Searched,
  filter: TimelineFilter,
  after: TimelinePlace | null,
  limit: number,
): string {
  const mine = statement.put(examinationId, 'uuid');
  whereRange(statement, filter);
  if (after !== null) {
    const { at, locator, nth } = after;
    statement.where(
      `(at, locator, nth) > (${statement.put(at, 'numeric')}, ${statement.put(locator, 'text')}, ${statement.put(nth, 'int')})`,
    );
  }
  const conditions = ['true', ...statement.conditions].join(' and ');
  return `select at::text, nth, kind, ${shown}, locator, path, allocated
    from (select custodia_instant(written) as at, told.*, locator, path, allocated
          from seen_fact cross join lateral custodia_times(record::jsonb) as told where examination_id = ${mine}) as moments
    where ${conditions} order by moments.at, locator, nth limit ${statement.put(limit, 'int')}`;
}
