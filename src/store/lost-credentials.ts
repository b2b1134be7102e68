/** Credentials that are no longer accepted: whose they were, and why they are over. */
import { type Pool } from 'pg';

export interface LostCredential {
  readonly kind: 'session' | 'token';
  readonly id: string;
  readonly accountId: string;
  readonly agencyId: string;
  readonly reason: 'disabled' | 'revoked' | 'expired';
}

/** Null for a secret that was never one of ours. */
export async function findLostCredential(pool: Pool, secretSha256: Buffer): Promise<LostCredential | null> {
  const { rows } = await pool.query<{
    kind: LostCredential['kind'];
    id: string;
    account_id: string;
    agency_id: string;
    reason: LostCredential['reason'];
  }>(
    `select kind, known.id, account_id, agency_id,
       case when disabled_at is not null then 'disabled' when revoked_at is not null then 'revoked' else 'expired' end as reason
     from (select 'token' as kind, id, account_id, revoked_at from api_token where secret_sha256 = $1
           union all select 'session', id, account_id, revoked_at from session where secret_sha256 = $1) as known
     join account on account.id = account_id`,
    [secretSha256],
  );
  const row = rows[0];
  return row === undefined ? null : { kind: row.kind, id: row.id, accountId: row.account_id, agencyId: row.agency_id, reason: row.reason };
}
