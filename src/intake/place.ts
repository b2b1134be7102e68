/** Takes in an image where it lies, below an evidence root: all files of its set, each an entry of the ledger, nothing copied, nothing written there. */
import { dirname, relative } from 'node:path';
import { type Pool } from 'pg';
import { type EvidenceRoot } from '../config.ts';
import { type Signer } from '../custody/signer.ts';
import { type ThreadPool } from '../evidence/task.ts';
import { insertSegment, type Segment } from '../store/segments.ts';
import { transaction } from '../store/transaction.ts';
import { recordSegment } from './custody.ts';
import { fileState } from './file-state.ts';
import { findFor } from './for-agency.ts';
import { IntakeError } from './intake-error.ts';
import { findPlaced, type PlacedFile } from './roots.ts';

export interface PlaceContext {
  readonly database: Pool;
  readonly threads: ThreadPool;
  readonly signer: Signer;
  readonly version: string;
  readonly roots: readonly EvidenceRoot[];
}

export interface Placement {
  readonly exhibitId: string;
  /** Of the case. */
  readonly agencyId: string;
  readonly accountId: string;
  readonly credential: string;
  readonly root: string;
  readonly path: string;
}

/** Throws IntakeError. Whichever file of a set is named, all that lie beside it are taken in, or none. */
export async function place(context: PlaceContext, placement: Placement, signal: AbortSignal): Promise<Segment[]> {
  const root = findFor(context.roots, placement.root, placement.agencyId);
  if (root === undefined) throw new IntakeError('place.root', 'no evidence root of this name is configured');
  const named = await findPlaced(root, placement.path);
  const image = await context.threads.run({ kind: 'find-segments', path: named.path }, { onBatch: () => undefined, signal });
  const folder = placement.path.split('/').slice(0, -1);
  const files: (PlacedFile & { readonly rootPath: string })[] = [];
  for (const path of image.paths) {
    const rootPath = [...folder, relative(dirname(named.path), path)].join('/');
    files.push({ ...(await findPlaced(root, rootPath)), rootPath });
  }
  return transaction(context.database, async (client) => {
    const segments: Segment[] = [];
    const { exhibitId, accountId, credential } = placement;
    for (const { path, name, found, rootPath } of files) {
      const file = fileState(name, found);
      const size = Number(found.size);
      const where = { root: root.name, rootPath, received: file };
      const segment = await insertSegment(client, { exhibitId, accountId, name, size, origin: 'place', ...where });
      if (segment === null) throw new IntakeError('segment.name-taken', `the exhibit has a segment '${name}' already`);
      await recordSegment(client, context.signer, context.version, {
        segment,
        path,
        file,
        credential,
        compared: false,
        occurred: new Date(),
      });
      segments.push(segment);
    }
    return segments;
  });
}
