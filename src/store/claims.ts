/** Which unit is next: decided by the database (migrations/0004-control.ts), for one worker after the other. */
import { type Pool } from 'pg';
import { queries } from './schema.ts';
import { type Unit } from './units.ts';

/** Takes the unit whose turn it is, for `leaseMs`; null when nothing can be begun: nothing is open, or it is held, paused, or beyond a limit. */
export async function claimNext(pool: Pool, workerId: string, leaseMs: number): Promise<Unit | null> {
  const passed: string[] = [];
  while (true) {
    const { rows } = await pool.query<{ agency: string; claimed: string | null }>(
      'select agency, claimed from claim_next_unit($1, $2, $3)',
      [workerId, leaseMs, passed],
    );
    const row = rows[0];
    if (row === undefined) return null;
    if (row.claimed === null) passed.push(row.agency);
    else {
      const held = queries(pool).selectFrom('unit').selectAll().where('id', '=', row.claimed).where('worker_id', '=', workerId);
      const unit = await held.where('status', '=', 'open').executeTakeFirst();
      if (unit !== undefined) return unit;
    }
  }
}
