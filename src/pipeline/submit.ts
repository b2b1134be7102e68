/** Takes an image in: case, exhibit, examination, its first units and the ledger's first event, all in one transaction. */
import { type Pool, type PoolClient } from 'pg';
import { type CustodyEvent } from '../custody/event.ts';
import { type ImageReference, type Profile } from '../evidence/task.ts';
import { type Exhibit, findOpenExamination, insertExamination, lockExhibit } from '../store/examinations.ts';
import { type StatTuple } from '../store/schema.ts';
import { transaction } from '../store/transaction.ts';
import { insertUnits } from '../store/units.ts';
import { differences, statEvidence } from './evidence-files.ts';
import { type Recorder } from './recorder.ts';
import { priorities } from './step.ts';
import { TaskError } from './task-error.ts';
import { type UnitQueue } from './unit-queue.ts';

export interface Submission {
  readonly caseReference: string;
  readonly exhibit: string;
  readonly examiner: string;
  readonly image: ImageReference;
  /** What its files were when they were taken in, where that was before now. */
  readonly received?: readonly StatTuple[];
  readonly profile: Profile;
  /** Where it came through the API: whose request it is, and how urgent. */
  readonly request?: {
    readonly agencyId: string;
    readonly accountId: string;
    /** As the ledger names whoever asked. */
    readonly actor?: CustodyEvent['actor'];
    readonly priority?: number;
    readonly deadline?: Date;
  };
}

export interface Submitted {
  readonly examinationId: string;
  /** True when an examination of the same files was under way: it is gone on with. */
  readonly resumed: boolean;
}

/** Throws TaskError (`evidence.missing`, `evidence.changed`): an image that changed since it was submitted is not gone on with. */
export async function submit(database: Pool, queue: UnitQueue, recorder: Recorder, submission: Submission): Promise<Submitted> {
  const { caseReference, exhibit: label, examiner, image, profile, request } = submission;
  const received = await statEvidence(image.paths);
  const since = differences(submission.received ?? received, received);
  if (since.length > 0)
    throw new TaskError('evidence.changed', `the image is not as it was when it was taken in: ${since.join('; ')}`, true);
  return transaction(database, async (client) => {
    const exhibit: Exhibit = await lockExhibit(client, { caseReference, label, examiner }, request?.agencyId);
    const open = await findOpenExamination(client, exhibit.id, image);
    if (open !== null) {
      refuseChanged(open.id, differences(open.received, received));
      return { examinationId: open.id, resumed: true };
    }
    const units = [
      { kind: 'survey', priority: priorities.survey },
      { kind: 'hash-media', priority: priorities['hash-media'] },
    ] as const;
    const examination = await insertExamination(client, {
      exhibitId: exhibit.id,
      examiner,
      image,
      received,
      profile,
      openUnits: units.length,
    });
    if (request !== undefined) await setRequest(client, examination.id, request);
    const ids = await insertUnits(client, examination.id, null, units);
    await queue.announce(
      client,
      ids.map((id, index) => ({ id, priority: units[index]!.priority })),
    );
    await recorder.recordReceived(client, {
      exhibit,
      examination,
      received,
      ...(request?.actor === undefined ? {} : { actor: request.actor }),
    });
    return { examinationId: examination.id, resumed: false };
  });
}

async function setRequest(client: PoolClient, examinationId: string, request: NonNullable<Submission['request']>): Promise<void> {
  await client.query('update examination set submitted_by = $2, priority = coalesce($3, priority), deadline = $4 where id = $1', [
    examinationId,
    request.accountId,
    request.priority ?? null,
    request.deadline ?? null,
  ]);
}

function refuseChanged(examinationId: string, changes: readonly string[]): void {
  if (changes.length === 0) return;
  const what = `the image is not as it was when examination ${examinationId} of it began: ${changes.join('; ')}`;
  throw new TaskError('evidence.changed', `${what}; submit it as another exhibit, or let a worker bring that examination to its end`, true);
}
