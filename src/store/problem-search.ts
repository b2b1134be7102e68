/** Problems of an examination, in pages. */
import { type PoolClient } from 'pg';
import { type Locator } from '../evidence/locator.ts';
import { type ProblemCount, type RecordedProblem } from './catalogue.ts';

interface Row {
  id: string;
  locator: string;
  code: string;
  message: string;
  at: string | null;
  hides_evidence: boolean;
}

export interface PagedProblem extends RecordedProblem {
  readonly id: string;
}

const problemOf = ({ id, locator, code, message, at, hides_evidence }: Row): PagedProblem => ({
  ...{ id, locator, code, message },
  at: at === null ? null : Number(at),
  hidesEvidence: hides_evidence,
});

export interface ProblemFilter {
  readonly code?: string;
  readonly hidesEvidence?: boolean;
  /** What the locator starts with. */
  readonly locator?: string;
}

/** In order of locators; `after`: locator and id of the last of the page before. */
export async function searchProblems(
  client: PoolClient,
  examinationId: string,
  { code = null, hidesEvidence = null, locator = null }: { [K in keyof ProblemFilter]: ProblemFilter[K] | null },
  after: readonly [Locator, string] | null,
  limit: number,
): Promise<PagedProblem[]> {
  const { rows } = await client.query<Row>(
    `select id, locator, code, message, at, hides_evidence from problem
     where examination_id = $1 and ($2::text is null or code = $2) and ($3::boolean is null or hides_evidence = $3)
       and ($4::text is null or starts_with(locator, $4)) and ($5::text is null or (locator, id) > ($5, $6::bigint))
     order by locator, id limit $7`,
    [examinationId, code, hidesEvidence, locator, after?.[0] ?? null, after?.[1] ?? null, limit],
  );
  return rows.map(problemOf);
}

/** The first thousand at one place. */
export async function problemsSeen(client: PoolClient, examinationId: string, locator: Locator): Promise<RecordedProblem[]> {
  const { rows } = await client.query<Row>(
    `select id, locator, code, message, at, hides_evidence from problem where examination_id = $1 and locator = $2 order by code, id limit 1000`,
    [examinationId, locator],
  );
  return rows.map((row) => {
    const { id: _, ...problem } = problemOf(row);
    return problem;
  });
}

export async function summariseProblems(
  client: PoolClient,
  examinationId: string,
): Promise<Omit<ProblemCount, 'exampleLocator' | 'exampleMessage'>[]> {
  const { rows } = await client.query(
    `select code, count(*)::int as count, (count(*) filter (where hides_evidence))::int as hiding
     from problem where examination_id = $1 group by code order by code collate "C"`,
    [examinationId],
  );
  return rows;
}
