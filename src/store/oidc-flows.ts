/** Sign-ins through an OpenID provider that are under way: each bound to one browser, and good once. */
import { type Pool } from 'pg';

export interface OidcFlow {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

export async function insertFlow(pool: Pool, browserSha256: Buffer, { state, nonce, verifier }: OidcFlow): Promise<void> {
  await pool.query('delete from oidc_flow where expires_at < clock_timestamp()');
  await pool.query(
    `insert into oidc_flow (browser_sha256, state, nonce, verifier, expires_at) values ($1, $2, $3, $4, clock_timestamp() + interval '10 minutes')`,
    [browserSha256, state, nonce, verifier],
  );
}

/** Null where there is none, or where it is too old or was taken already. */
export async function takeFlow(pool: Pool, browserSha256: Buffer): Promise<OidcFlow | null> {
  const { rows } = await pool.query<OidcFlow & { fresh: boolean }>(
    'delete from oidc_flow where browser_sha256 = $1 returning state, nonce, verifier, expires_at > clock_timestamp() as fresh',
    [browserSha256],
  );
  const row = rows[0];
  return row?.fresh === true ? { state: row.state, nonce: row.nonce, verifier: row.verifier } : null;
}
