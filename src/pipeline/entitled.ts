/** Asked at the start of each unit: may whoever requested the examination still do so? */
import { type Pool } from 'pg';
import { isAllowed } from '../access/policy.ts';
import { readRequester } from '../store/control.ts';

/** Null when the work may begin, else why not, in words. What was begun on this machine's command line is the operator's. */
export async function whyNotEntitled(database: Pool, examinationId: string): Promise<string | null> {
  const requester = await readRequester(database, examinationId);
  if (requester === null) return null;
  const { disabled, accountId, agencyId, roles, caseAgencyId, caseRoles } = requester;
  if (disabled) return 'the account that requested it is disabled';
  const subject = { accountId, agencyId, roles, scopes: null };
  if (isAllowed(subject, 'examination.start', { agencyId: caseAgencyId, caseRoles })) return null;
  return 'the account that requested it has no longer the right to';
}
