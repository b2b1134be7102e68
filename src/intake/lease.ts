/** The hold on an upload while somebody writes to it or checks it: renewed on the clock of the database, and noticed where it is lost. */
import { type Pool } from 'pg';
import { renewHold } from '../store/uploads.ts';
import { IntakeError } from './intake-error.ts';

export interface Lease {
  /** Aborts where another holds the upload by now, or where it has ended. */
  readonly lost: AbortSignal;
  /** Throws IntakeError where it was not renewed in time: somebody else may write by now. Before every write. */
  demand(): void;
  /** Asks the database once more: before what cannot be taken back. False where it cannot be said. */
  isHeld(): Promise<boolean>;
  end(): void;
}

export interface LeaseOptions {
  readonly database: Pool;
  readonly uploadId: string;
  readonly holder: string;
  readonly leaseMs: number;
  /** Asked at each renewal; what it throws ends the work. */
  mayGoOn?(): Promise<void>;
}

/** Of an upload that is held since a moment ago. A living holder renews at a third of the time, and stops by itself before it is over. */
export function keepLease({ database, uploadId, holder, leaseMs, mayGoOn }: LeaseOptions): Lease {
  const controller = new AbortController();
  let renewedAt = performance.now();
  const isInTime = () => performance.now() - renewedAt <= leaseMs * 0.8;
  const renew = async (): Promise<boolean> => {
    const asked = performance.now();
    const held = await renewHold(database, uploadId, { holder, leaseMs });
    if (held) renewedAt = asked;
    else controller.abort(new IntakeError('upload.ended', 'the upload was ended or taken over meanwhile'));
    return held && isInTime();
  };
  const round = async () => {
    await mayGoOn?.().catch((error: unknown) => controller.abort(error));
    await renew();
  };
  // a renewal that fails is made up for by the next one, or the lease runs out
  const timer = setInterval(() => void round().catch(() => undefined), leaseMs / 3);
  return {
    lost: controller.signal,
    demand() {
      if (!isInTime()) throw new IntakeError('upload.busy', 'the hold on the upload could not be renewed in time');
    },
    isHeld: () => renew().catch(() => false),
    end: () => clearInterval(timer),
  };
}
