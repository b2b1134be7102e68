/** One transaction on one client: committed whole or not at all. */
import { type Pool, type PoolClient } from 'pg';

/** Runs `work` between `begin` and COMMIT; whatever it throws rolls back. A client whose rollback fails is thrown away. */
export async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>, begin = 'begin'): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query(begin);
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}

/**
 * True for errors that say nothing about the work itself: connection lost, server going down or coming up, out of resources (on this machine
 * as well: disk, open files), deadlock, time-outs. The work may be tried again. PostgreSQL manual, appendix A: classes 08, 40, 53, 57 and 55P03.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as Error & { code?: string }).code;
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && code !== 'EPIPE') return /^(08|40|53|57|55P03|25P0)/.test(code);
  if (code !== undefined) return /^(ECONN|EPIPE|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOSPC|EDQUOT|EMFILE|ENFILE)/.test(code);
  return /connection terminated|connection timeout|timeout exceeded|query read timeout|not queryable|closed/i.test(error.message);
}
