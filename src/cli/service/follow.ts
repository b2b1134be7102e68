/** Follows an examination at the service until it has ended, and says how it ended as `process` does. */
import { type Connection, path } from '../../client/connection.ts';
import { followEvents } from '../../client/event-stream.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { type ProgressState, type ProgressView } from '../progress.ts';

interface UnitProgress {
  readonly kind: string;
  readonly status: string;
  readonly units: number;
  readonly files: number;
  readonly bytes: number;
}

interface Progress {
  readonly status: string;
  readonly units: readonly UnitProgress[];
  readonly underWay: { readonly units: number; readonly files: number; readonly bytes: number };
  readonly medium: { readonly size: number | null; readonly hashed: number };
}

export interface Ended {
  readonly id: string;
  readonly status: string;
  readonly conclusion: { readonly hidesEvidence?: boolean; readonly [member: string]: unknown } | null;
}

export async function follow(connection: Connection, id: string, view: ProgressView, signal: AbortSignal): Promise<Ended> {
  try {
    for await (const { data } of followEvents(connection, path`/examinations/${id}/events`, ({ event }) => event === 'end', signal)) {
      view.show(stateOf(JSON.parse(data) as Progress));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new CommandError(
      exitCodes.stopped,
      'stopped',
      `stopped looking: examination ${id} goes on; 'custodia watch ${id}' follows it again`,
    );
  } finally {
    view.done();
  }
  return connection.ask<Ended>('GET', path`/examinations/${id}`);
}

/** Exit status of `process` for the same examination. Throws CommandError where there is no conclusion. */
export function statusOf({ id, status, conclusion }: Ended): number {
  if (status === 'complete') return conclusion?.hidesEvidence === true ? exitCodes.hidden : exitCodes.complete;
  if (status === 'integrity-failed') return exitCodes.changed;
  if (status === 'cancelled') throw new CommandError(exitCodes.failed, 'examination.cancelled', `examination ${id}: was cancelled`);
  throw new CommandError(
    exitCodes.failed,
    'examination.failed',
    `examination ${id}: could not be concluded; 'custodia units ${id}' says why`,
  );
}

/** The medium and the files apart, as `process` shows them. */
export function stateOf({ status, units, underWay, medium }: Progress): ProgressState {
  const files = units.filter(({ kind, status: state }) => kind === 'examine-files' && state !== 'split');
  const ended = files.filter(({ status: state }) => state !== 'open');
  const sum = (rows: readonly UnitProgress[], what: 'files' | 'bytes') => rows.reduce((total, row) => total + row[what], 0);
  const isOpen = (kind: string) => units.some((row) => row.kind === kind && row.status === 'open' && row.units > 0);
  const growing = isOpen('survey') || isOpen('list-files');
  const over = status !== 'open' && status !== 'concluding';
  return {
    stage: over ? status : status === 'concluding' ? 'concluding' : growing ? 'listing' : 'examining',
    hashed: medium.hashed,
    hashTotal: medium.size,
    files: sum(ended, 'files') + underWay.files,
    filesTotal: growing ? null : sum(files, 'files'),
    fileBytes: sum(ended, 'bytes') + Math.max(0, underWay.bytes - (isOpen('hash-media') ? medium.hashed : 0)),
  };
}
