/** What an error becomes on its way out. Witnesses: PostgreSQL manual, appendix A (57P01, 53300); RFC 9110, section 10.2.3 (Retry-After). */
import { DatabaseError } from 'pg';
import { expect, it } from 'vitest';
import { notFound, refusalOf } from '../../src/http/problem.ts';

const databaseError = (code: string) => Object.assign(new DatabaseError('of the database, with a secret', 30, 'error'), { code });

it.each([
  ['57P01, the server goes away', databaseError('57P01')],
  ['53300, too many connections', databaseError('53300')],
  ['no connection of the pool in time', new Error('timeout exceeded when trying to connect')],
])('%s: ask again later', (_what, error) => {
  const heard: Error[] = [];
  expect(refusalOf(error, (failure) => heard.push(failure))).toMatchObject({ status: 503, code: 'http.busy', more: { retryAfter: 2 } });
  expect(heard).toEqual([error]);
});

it('a fault of ours is told to the log, and not to the asker', () => {
  const heard: Error[] = [];
  const refusal = refusalOf(databaseError('42P01'), (failure) => heard.push(failure));
  expect([refusal.status, refusal.code, refusal.message.includes('secret'), heard.length]).toEqual([500, 'http.failed', false, 1]);
});

it('a refusal stays what it is', () => {
  const refusal = notFound();
  expect(refusalOf(refusal, () => expect.unreachable())).toBe(refusal);
});
