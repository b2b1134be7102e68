/** What was found in an image: volumes, entries, problems. */
import { sql } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { type Locator } from '../evidence/locator.ts';
import { type SurveyedVolume } from '../evidence/task.ts';
import { queries } from './schema.ts';
import { storable } from './text.ts';

export async function insertVolumes(
  client: PoolClient,
  examinationId: string,
  unitId: string,
  volumes: readonly SurveyedVolume[],
): Promise<void> {
  for (const [position, facts] of volumes.entries()) {
    await queries(client)
      .insertInto('volume')
      .values({ examination_id: examinationId, unit_id: unitId, locator: facts.locator, position, facts: JSON.stringify(facts) })
      .execute();
  }
}

export async function readVolumes(pool: Pool, examinationId: string): Promise<SurveyedVolume[]> {
  const rows = await queries(pool)
    .selectFrom('volume')
    .select('facts')
    .where('examination_id', '=', examinationId)
    .orderBy('position')
    .execute();
  return rows.map(({ facts }) => facts as SurveyedVolume);
}

export interface ListedEntry {
  readonly locator: Locator;
  readonly path: string;
  readonly type: string;
  readonly size: number;
  readonly allocated: boolean;
}

/** Entries in order of their locators, in pages: `after` is the last locator of the page before. */
export async function listEntries(pool: Pool, examinationId: string, after: Locator | null, limit: number): Promise<ListedEntry[]> {
  const rows = await queries(pool)
    .selectFrom('entry')
    .select(['locator', 'path', 'type', 'size', 'allocated'])
    .where('examination_id', '=', examinationId)
    .$if(after !== null, (query) => query.where('locator', '>', after))
    .orderBy('locator')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...row, size: Number(row.size) }));
}

/** The canonical record of an entry. */
export async function readEntry(pool: Pool, examinationId: string, locator: Locator): Promise<string | null> {
  const row = await queries(pool)
    .selectFrom('entry')
    .select('record')
    .where('examination_id', '=', examinationId)
    .where('locator', '=', locator)
    .executeTakeFirst();
  return row?.record ?? null;
}

export interface RecordedProblem {
  readonly locator: Locator;
  readonly code: string;
  readonly message: string;
  readonly at: number | null;
  readonly hidesEvidence: boolean;
}

export async function problemsAt(pool: Pool, examinationId: string, locator: Locator): Promise<RecordedProblem[]> {
  const rows = await queries(pool)
    .selectFrom('problem')
    .selectAll()
    .where('examination_id', '=', examinationId)
    .where('locator', '=', locator)
    .orderBy('code')
    .limit(1000)
    .execute();
  return rows.map(({ code, message, at, hides_evidence }) => ({
    locator,
    code,
    message,
    at: at === null ? null : Number(at),
    hidesEvidence: hides_evidence,
  }));
}

export async function insertProblem(client: PoolClient, examinationId: string, unitId: string, problem: RecordedProblem): Promise<void> {
  const { locator, code, message, at, hidesEvidence } = problem;
  await queries(client)
    .insertInto('problem')
    .values({
      examination_id: examinationId,
      unit_id: unitId,
      locator,
      code,
      message: storable(message),
      at,
      hides_evidence: hidesEvidence,
    })
    .execute();
}

export interface ProblemCount {
  readonly code: string;
  readonly count: number;
  /** How many of them may hide evidence. */
  readonly hiding: number;
  readonly exampleLocator: Locator;
  readonly exampleMessage: string;
}

/** The example is the first in the order of problems.jsonl: looked up for each code, as sorting a million messages takes a second and 300 MB. */
export async function countProblems(pool: Pool, examinationId: string): Promise<ProblemCount[]> {
  const { rows } = await sql<ProblemCount>`
    select counted.code, count, hiding, first.locator as "exampleLocator", first.message as "exampleMessage"
    from (
      select code, count(*)::int as count, (count(*) filter (where hides_evidence))::int as hiding
      from problem where examination_id = ${examinationId} group by code) counted
    cross join lateral (
      select locator, message from problem where examination_id = ${examinationId} and code = counted.code
      order by locator collate "C", at nulls first, message collate "C" limit 1) first
    order by counted.code collate "C"`.execute(queries(pool));
  return rows;
}
