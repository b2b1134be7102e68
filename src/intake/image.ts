/** From the segments of an exhibit to one image: ordered by what stands in them, what is missing named, what is foreign refused. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { type IntakeSettings } from '../config.ts';
import { type ImageReference, type SegmentSet, type ThreadPool } from '../evidence/task.ts';
import { type StatTuple } from '../store/schema.ts';
import { type Segment } from '../store/segments.ts';
import { fileState } from './file-state.ts';
import { IntakeError } from './intake-error.ts';
import { type ObjectStore } from './object-store.ts';
import { findPlaced } from './roots.ts';

export interface ImageContext {
  readonly threads: ThreadPool;
  readonly store: ObjectStore;
  readonly settings: IntakeSettings;
}

export interface AssembledImage {
  readonly image: ImageReference;
  /** What its files must still be when the examination begins, in the order of its paths. */
  readonly received: readonly StatTuple[];
  /** In words, where it was allowed that something is missing. */
  readonly missing: readonly string[];
}

/** Throws IntakeError (`segments.none`, `segments.foreign`, `segments.missing`, `segment.changed`, `place....`). */
export async function assembleImage(
  context: ImageContext,
  segments: readonly Segment[],
  { incomplete, signal }: { incomplete: boolean; signal: AbortSignal },
): Promise<AssembledImage> {
  if (segments.length === 0) throw new IntakeError('segments.none', 'the exhibit has no segments yet, expected at least one');
  const files: SegmentFile[] = [];
  for (const segment of segments) files.push(await fileOf(context, segment));
  const named = segments.map(({ name }, index) => ({ path: files[index]!.path, name }));
  const set = await context.threads.run({ kind: 'order-segments', segments: named }, { onBatch: () => undefined, signal });
  refuseForeign(set, segments);
  if (set.missing.length > 0 && !incomplete) {
    const advice = 'submit it, or ask for an incomplete image to be examined';
    throw new IntakeError('segments.missing', `missing: ${set.missing.join(', ')}; ${advice}`);
  }
  const ordered = set.order.map(({ index, fileName }) => ({ segment: segments[index]!, ...files[index]!, fileName }));
  const inPlace = ordered.every(({ segment }) => segment.origin === 'place');
  const imagePaths = inPlace ? ordered.map(({ path }) => path) : await linkSet(context.settings.storeFolder, set.format, ordered);
  return { image: { format: set.format, paths: imagePaths }, received: ordered.map(({ state }) => state), missing: set.missing };
}

function refuseForeign({ foreign }: SegmentSet, segments: readonly Segment[]): void {
  if (foreign.length === 0) return;
  const told = foreign.map(({ index, because }) => `'${segments[index]!.name}' ${because}`).join('; ');
  throw new IntakeError('segments.foreign', `not all segments belong to one image: ${told}`);
}

interface SegmentFile {
  readonly path: string;
  readonly state: StatTuple;
}

/** Where it lies now; what lies in place must still be what was received. */
async function fileOf({ store, settings }: ImageContext, segment: Segment): Promise<SegmentFile> {
  if (segment.sha256 !== null) {
    const path = store.objectPath(segment.sha256);
    const found = await stat(path, { bigint: true }).catch(() => null);
    if (found?.size !== BigInt(segment.size))
      throw new IntakeError('store.damaged', `the store does not hold '${segment.name}' as it was received`);
    return { path, state: fileState(segment.name, found) };
  }
  const root = settings.roots.find(({ name }) => name === segment.root);
  if (root === undefined) throw new IntakeError('place.root', `the evidence root '${segment.root}' is not configured any more`);
  const { path, found, name } = await findPlaced(root, segment.root_path!);
  const [before, now] = [segment.received as StatTuple, fileState(name, found)];
  const changed = (['size', 'mtimeNs', 'ctimeNs', 'inode', 'device'] as const).filter((key) => before[key] !== now[key]);
  if (changed.length > 0)
    throw new IntakeError('segment.changed', `'${segment.name}' is not as it was when it was received: ${changed.join(', ')} differ`);
  return { path, state: before };
}

/**
 * Objects are named by their content, readers of images go by names: so a set gets a folder with a link for each segment. Its own name is a digest
 * of what is in it: the same set has the same paths, whoever asks.
 */
async function linkSet(storeFolder: string, format: string, ordered: readonly { path: string; fileName: string }[]): Promise<string[]> {
  const hash = createHash('sha256').update(format);
  for (const { path, fileName } of ordered) hash.update(`\0${fileName}\0${path}`);
  const folder = join(storeFolder, 'sets', hash.digest('hex'));
  const paths = ordered.map(({ fileName }) => join(folder, fileName));
  if ((await stat(folder).catch(() => null)) !== null) return paths;
  const draft = join(storeFolder, 'sets', `.${randomUUID()}`);
  await mkdir(draft, { recursive: true, mode: 0o700 });
  for (const { path, fileName } of ordered) await symlink(relative(folder, path), join(draft, fileName));
  await syncFolder(draft);
  await rename(draft, folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    await rm(draft, { recursive: true }); // another made the same set meanwhile
  });
  await syncFolder(dirname(folder));
  return paths;
}

async function syncFolder(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
