/** Cases, who is a member of each with which roles, and their exhibits. */
import { type PoolClient } from 'pg';
import { type CaseRole } from '../access/policy.ts';

export interface Case {
  readonly id: string;
  readonly agencyId: string;
  readonly reference: string;
  readonly title: string;
  readonly createdAt: string;
}

interface CaseRow {
  id: string;
  agency_id: string;
  reference: string;
  title: string;
  created_at: Date;
}

const caseOf = ({ id, agency_id, reference, title, created_at }: CaseRow): Case => ({
  id,
  agencyId: agency_id,
  reference,
  title,
  createdAt: created_at.toISOString(),
});

const caseColumns = 'id, agency_id, reference, title, created_at';

/** Newest first, from below `before`. */
export async function listCases(client: PoolClient, before: string | null, limit: number): Promise<Case[]> {
  const { rows } = await client.query<CaseRow>(
    `select ${caseColumns} from case_file where $1::uuid is null or id < $1 order by id desc limit $2`,
    [before, limit],
  );
  return rows.map(caseOf);
}

export async function findCase(client: PoolClient, id: string, { lock = false } = {}): Promise<Case | null> {
  const { rows } = await client.query<CaseRow>(`select ${caseColumns} from case_file where id = $1 ${lock ? 'for no key update' : ''}`, [
    id,
  ]);
  return rows[0] === undefined ? null : caseOf(rows[0]);
}

/** Whoever makes it leads it. Null where the agency has a case of this reference. */
export async function insertCase(
  client: PoolClient,
  { agencyId, reference, title, by }: { agencyId: string; reference: string; title: string; by: string },
): Promise<Case | null> {
  const { rows } = await client.query<CaseRow>(
    `insert into case_file (agency_id, reference, title) values ($1, $2, $3) on conflict do nothing returning ${caseColumns}`,
    [agencyId, reference, title],
  );
  if (rows[0] === undefined) return null;
  await client.query(`insert into case_member (case_id, account_id, role, added_by) values ($1, $2, 'lab-lead', $2)`, [rows[0].id, by]);
  return caseOf(rows[0]);
}

export async function setCaseTitle(client: PoolClient, id: string, title: string): Promise<Case> {
  const { rows } = await client.query<CaseRow>(`update case_file set title = $2 where id = $1 returning ${caseColumns}`, [id, title]);
  return caseOf(rows[0]!);
}

export interface Member {
  readonly accountId: string;
  /** Empty where the reader may not see the account. */
  readonly login: string;
  readonly roles: readonly CaseRole[];
}

export async function listMembers(client: PoolClient, caseId: string): Promise<Member[]> {
  const { rows } = await client.query<{ account_id: string; login: string; roles: CaseRole[] }>(
    `select account_id, coalesce(max(login), '') as login, array_agg(role order by role) as roles
     from case_member left join account on account.id = account_id where case_id = $1 group by account_id order by account_id`,
    [caseId],
  );
  return rows.map(({ account_id, login, roles }) => ({ accountId: account_id, login, roles }));
}

/** Gives the roles that it had. The case is held by the caller. */
export async function setMember(
  client: PoolClient,
  { caseId, accountId, roles, by }: { caseId: string; accountId: string; roles: readonly CaseRole[]; by: string },
): Promise<CaseRole[]> {
  const { rows } = await client.query<{ role: CaseRole }>('delete from case_member where case_id = $1 and account_id = $2 returning role', [
    caseId,
    accountId,
  ]);
  await client.query(
    'insert into case_member (case_id, account_id, role, added_by) select $1, $2, role, $4 from unnest($3::text[]) as role',
    [caseId, accountId, roles, by],
  );
  return rows.map(({ role }) => role).sort();
}

/** Whether somebody leads the case who can sign in. */
export async function hasLead(client: PoolClient, caseId: string): Promise<boolean> {
  const { rows } = await client.query(
    `select 1 from case_member join account on account.id = account_id
     where case_id = $1 and role = 'lab-lead' and disabled_at is null limit 1`,
    [caseId],
  );
  return rows.length > 0;
}

export interface ListedExhibit {
  readonly id: string;
  readonly caseId: string;
  readonly label: string;
  readonly description: string;
  readonly examiner: string;
  readonly createdAt: string;
}

interface ExhibitRow {
  id: string;
  case_id: string;
  label: string;
  description: string;
  examiner: string;
  created_at: Date;
}

const exhibitOf = ({ id, case_id, label, description, examiner, created_at }: ExhibitRow): ListedExhibit => ({
  id,
  caseId: case_id,
  label,
  description,
  examiner,
  createdAt: created_at.toISOString(),
});

const exhibitColumns = 'id, case_id, label, description, examiner, created_at';

/** In the order of their labels, from behind `after`. */
export async function listExhibits(client: PoolClient, caseId: string, after: string | null, limit: number): Promise<ListedExhibit[]> {
  const { rows } = await client.query<ExhibitRow>(
    `select ${exhibitColumns} from exhibit where case_id = $1 and ($2::text is null or label > $2) order by label limit $3`,
    [caseId, after, limit],
  );
  return rows.map(exhibitOf);
}

export async function findExhibit(client: PoolClient, id: string): Promise<ListedExhibit | null> {
  const { rows } = await client.query<ExhibitRow>(`select ${exhibitColumns} from exhibit where id = $1`, [id]);
  return rows[0] === undefined ? null : exhibitOf(rows[0]);
}

/** Null where the case has an exhibit of this label. */
export async function insertExhibit(
  client: PoolClient,
  { caseId, label, description, examiner }: { caseId: string; label: string; description: string; examiner: string },
): Promise<ListedExhibit | null> {
  const { rows } = await client.query<ExhibitRow>(
    `insert into exhibit (case_id, label, description, examiner) values ($1, $2, $3, $4)
     on conflict (case_id, label) do nothing returning ${exhibitColumns}`,
    [caseId, label, description, examiner],
  );
  return rows[0] === undefined ? null : exhibitOf(rows[0]);
}
