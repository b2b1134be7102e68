/** Keeps a claim alive while its work goes on, and says when it is lost. */
import { type Pool } from 'pg';
import { isTransient } from '../store/transaction.ts';
import { type Claim, renewClaim, type UnitDone } from '../store/units.ts';

export interface ClaimKeeper {
  /** Aborts when the claim is lost, or when `outer` aborts. */
  readonly signal: AbortSignal;
  /** True when another worker holds the unit now, or when we could not renew in time and must suppose so. */
  lost(): boolean;
  /** Told by whoever has seen that the unit is no longer ours. */
  lose(): void;
  stop(): void;
}

/** Renews every third of the lease, and tells how far the work has come. A renewal that fails because the database is away is tried again until the lease must be over. */
export function keepClaim(pool: Pool, claim: Claim, leaseMs: number, outer: AbortSignal, done: () => UnitDone): ClaimKeeper {
  const controller = new AbortController();
  let lost = false;
  let renewedAt = performance.now();
  let renewing = false;
  const lose = () => {
    lost = true;
    controller.abort();
  };
  const renew = async () => {
    if (renewing) return;
    renewing = true;
    const askedAt = performance.now();
    try {
      if (await renewClaim(pool, claim, leaseMs, done())) renewedAt = askedAt;
      else lose();
    } catch (error) {
      if (!isTransient(error) || performance.now() - renewedAt > leaseMs) lose();
    } finally {
      renewing = false;
    }
  };
  const timer = setInterval(() => void renew(), leaseMs / 3);
  const onOuter = () => controller.abort();
  outer.addEventListener('abort', onOuter, { once: true });
  if (outer.aborted) controller.abort();
  return {
    signal: controller.signal,
    lost: () => lost,
    lose,
    stop() {
      clearInterval(timer);
      outer.removeEventListener('abort', onOuter);
    },
  };
}
