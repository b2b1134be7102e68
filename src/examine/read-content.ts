/** Finds the content that a locator names and gives it out in pieces. */
import { type ByteSource, sliceSource } from '../bytes/source.ts';
import { FormatError } from '../evidence/errors.ts';
import { type Image } from '../evidence/image.ts';
import { Budget, defaultLimits } from '../evidence/limits.ts';
import { type Locator, parseLocator, printLocator } from '../evidence/locator.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { type VolumeReference } from '../evidence/task.ts';
import { archives } from '../formats.ts';
import { type Spool, spoolOf } from './content.ts';
import { isExpected } from './expected-error.ts';
import { fileSystemFormat } from './open-evidence.ts';
import { memberLocator } from './unfold.ts';

export interface FoundContent {
  readonly source: ByteSource;
  close(): void;
}

/** Without a volume the locator names the medium. Throws FormatError (`locator.not-found`) where nothing is at the place. */
export async function findContent(
  image: Image,
  volume: VolumeReference | null,
  locator: Locator,
  problems: ProblemLog,
): Promise<FoundContent> {
  if (volume === null) return { source: image.media, close: () => undefined };
  const medium = sliceSource(image.media, volume.offset, volume.length);
  if (locator === volume.locator) return { source: medium, close: () => undefined };
  const layers = parseLocator(locator);
  const depth = parseLocator(volume.locator).length;
  const place = layers[depth];
  if (place === undefined || place.format !== volume.fileSystem) throw notFound(locator);
  const fileSystem = fileSystemFormat(volume.fileSystem).open(medium, problems);
  let found: FoundContent = { source: fileSystem.content(place.value), close: () => undefined };
  for (let level = depth + 1; level < layers.length; level++) {
    const outer = found;
    const parent = printLocator(layers.slice(0, level));
    try {
      found = await openMember(outer.source, parent, printLocator(layers.slice(0, level + 1)), problems);
    } finally {
      outer.close();
    }
  }
  return found;
}

async function openMember(source: ByteSource, parent: Locator, wanted: Locator, problems: ProblemLog): Promise<Spool> {
  const name = parseLocator(wanted).at(-1)!.format;
  const format = archives.find((known) => known.name === name);
  if (format === undefined) throw notFound(wanted);
  const budget = new Budget(defaultLimits);
  const archive = await format.open(source, budget, problems);
  const used = new Set<string>();
  for await (const member of archive.members()) {
    if (memberLocator(parent, name, member, used).locator === wanted) {
      const spool = spoolOf(archive.content(member), () => undefined);
      if (spool.error === null) return spool;
      if (spool.source.size > 0 && isExpected(spool.error)) {
        problems.add({ code: spool.error.code, message: `content of the member: ${spool.error.message}`, hidesEvidence: true });
        return spool;
      }
      spool.close();
      throw spool.error;
    }
  }
  throw notFound(wanted);
}

const notFound = (locator: Locator) => new FormatError('locator.not-found', `${locator}: nothing is at this place`);
