/** Access is custody: every look is durable before what was looked at leaves, and becomes part of an event of the exhibit's ledger. */
import { type FastifyRequest } from 'fastify';
import { type Installation } from '../installation.ts';
import { groupCommit } from '../store/group-commit.ts';
import { insertLooks, type NewLook } from '../store/looks.ts';
import { type Look } from './route.ts';

const roundMs = 30_000;

export interface Looks {
  add(request: FastifyRequest, look: Look): Promise<void>;
  /** Writes events for all looks that have none yet. */
  close(): Promise<void>;
}

/** Looks that a process left behind when it died are told of by the next round of any other. */
export function createLooks({ database, recorder, log }: Installation): Looks {
  const commit = groupCommit<NewLook>((looks) => insertLooks(database, looks));
  let round: Promise<unknown> | null = null;
  const timer = setInterval(() => {
    round ??= recorder
      .recordLooks(database, {})
      .catch((error: unknown) => log.error({ err: error }, 'looks could not be written into the ledger; tried again in a moment'))
      .finally(() => (round = null));
  }, roundMs);
  timer.unref();
  return {
    add({ subject, credential }, { examinationId, how, locator }) {
      return commit.add({ examinationId, how, locator, accountId: subject.accountId, credential: `${credential.kind}:${credential.id}` });
    },
    async close() {
      clearInterval(timer);
      await round;
      await commit.drain();
      await recorder.recordLooks(database, { all: true });
    },
  };
}
