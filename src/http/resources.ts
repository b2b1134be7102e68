/** Finds what a request is about with the eyes of whoever asks: what row-level security hides is not there. */
import { type PoolClient } from 'pg';
import { type CaseRole } from '../access/policy.ts';
import { type About, type Found, isId } from './route.ts';

type Finder = (client: PoolClient, id: string) => Promise<Found | null>;

interface InCase {
  agency_id: string | null;
  case_id: string | null;
  exhibit_id: string | null;
  examination_id: string | null;
  unit_id: string | null;
  roles: CaseRole[];
}

const myRoles = 'array(select role from case_member where case_member.case_id = case_file.id and account_id = custodia_account()) as roles';
const nothing = 'null::uuid';

const statements = {
  case: `select case_file.agency_id, id as case_id, ${nothing} as exhibit_id, ${nothing} as examination_id, ${nothing} as unit_id, ${myRoles}
    from case_file where id = $1`,
  exhibit: `select case_file.agency_id, case_id, exhibit.id as exhibit_id, ${nothing} as examination_id, ${nothing} as unit_id, ${myRoles}
    from exhibit join case_file on case_file.id = case_id where exhibit.id = $1`,
  // ops see examinations and units, not the exhibits and cases that they belong to
  examination: `select case_file.agency_id, case_id, exhibit_id, examination.id as examination_id, ${nothing} as unit_id, ${myRoles}
    from examination left join exhibit on exhibit.id = exhibit_id left join case_file on case_file.id = case_id where examination.id = $1`,
  unit: `select case_file.agency_id, case_id, exhibit_id, examination_id, unit.id as unit_id, ${myRoles}
    from unit join examination on examination.id = examination_id
    left join exhibit on exhibit.id = exhibit_id left join case_file on case_file.id = case_id where unit.id = $1`,
  upload: `select case_file.agency_id, case_id, exhibit_id, ${nothing} as examination_id, ${nothing} as unit_id, ${myRoles}
    from upload join exhibit on exhibit.id = exhibit_id join case_file on case_file.id = case_id where upload.id = $1`,
} as const;

/** Of an agency that is hidden from the asker: equal to none. */
const hidden = 'hidden';

const inCase =
  (statement: string): Finder =>
  async (client, id) => {
    const { rows } = await client.query<InCase>(statement, [id]);
    const row = rows[0];
    if (row === undefined) return null;
    return {
      resource: { agencyId: row.agency_id ?? hidden, caseRoles: row.roles },
      ...(row.agency_id === null ? {} : { agencyId: row.agency_id }),
      ...(row.case_id === null ? {} : { caseId: row.case_id }),
      ...(row.exhibit_id === null ? {} : { exhibitId: row.exhibit_id }),
      ...(row.examination_id === null ? {} : { examinationId: row.examination_id }),
      ...(row.unit_id === null ? {} : { unitId: row.unit_id }),
    };
  };

const finders: Readonly<Record<Exclude<About, 'installation' | 'own'>, Finder>> = {
  case: inCase(statements.case),
  exhibit: inCase(statements.exhibit),
  examination: inCase(statements.examination),
  unit: inCase(statements.unit),
  upload: inCase(statements.upload),
  async agency(client, id) {
    const { rows } = await client.query<{ id: string }>('select id from agency where id = $1', [id]);
    return rows[0] === undefined ? null : { resource: { agencyId: id, caseRoles: [] }, agencyId: id };
  },
  async account(client, id) {
    const { rows } = await client.query<{ agency_id: string }>('select agency_id from account where id = $1', [id]);
    const row = rows[0];
    return row === undefined
      ? null
      : { resource: { agencyId: row.agency_id, caseRoles: [], ownerId: id }, agencyId: row.agency_id, accountId: id };
  },
};

/** Null when there is no such thing, or none that the account may see. */
export async function findAbout(
  about: About,
  parameters: Readonly<Record<string, unknown>>,
  read: (work: (client: PoolClient) => Promise<Found | null>) => Promise<Found | null>,
): Promise<Found | null> {
  if (about === 'installation' || about === 'own') return { resource: { agencyId: null, caseRoles: [] } };
  const id = parameters[`${about}Id`];
  if (typeof id !== 'string' || !isId(id)) return null;
  return read((client) => finders[about](client, id));
}
