/** What a woken worker does: takes the unit whose turn it is, whichever that is, and the next one, until nothing is left. */

import { claimNext } from '../store/claims.ts';
import { releaseClaim } from '../store/units.ts';
import { automation, pauseExamination } from './control.ts';
import { whyNotEntitled } from './entitled.ts';
import { runUnit, type Workplace } from './run-unit.ts';

/** `mayTake` is asked before each unit. Throws when the database is away. */
export async function takeUnits(workplace: Workplace, mayTake: () => boolean, signal: AbortSignal): Promise<void> {
  const { database, workerId, leaseMs } = workplace;
  while (!signal.aborted && mayTake()) {
    const unit = await claimNext(database, workerId, leaseMs);
    if (unit === null) return;
    const reason = await whyNotEntitled(database, unit.examination_id);
    if (reason === null) await runUnit(workplace, unit, signal);
    else {
      await pauseExamination(workplace, unit.examination_id, automation(workplace), reason);
      await releaseClaim(database, unit, null);
    }
  }
}
