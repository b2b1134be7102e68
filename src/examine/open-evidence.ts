/** Opens what a reference names: image, volume, file system. Read-only, by this thread itself. */
import { basename } from 'node:path';
import { viewOf } from '../bytes/little-endian.ts';
import { type ByteSource, type FileSource, makeSource, openFileSource, sliceSource } from '../bytes/source.ts';
import { FormatError } from '../evidence/errors.ts';
import { type FileSystem, type FileSystemFormat } from '../evidence/file-system.ts';
import { type Image, type ImageFormat, type Segment } from '../evidence/image.ts';
import { type ProblemLog } from '../evidence/problem.ts';
import { type Signature } from '../evidence/signature.ts';
import { type ImageReference, type VolumeReference } from '../evidence/task.ts';
import { fileSystems, imageFormats } from '../formats.ts';

export interface OpenImage {
  readonly image: Image;
  readonly format: ImageFormat;
  readonly segments: readonly Segment[];
  close(): void;
}

export function openImage(reference: ImageReference, problems: ProblemLog): OpenImage {
  const format = imageFormats.find(({ name }) => name === reference.format);
  if (format === undefined) throw new FormatError('image.format', `image format '${reference.format}': not known to this version`);
  const files: FileSource[] = [];
  try {
    for (const path of reference.paths) files.push(openFileSource(path));
    const segments = files.map((source, index) => ({ name: basename(reference.paths[index]!), source }));
    return { image: format.open(segments, problems), format, segments, close: () => closeAll(files) };
  } catch (error) {
    closeAll(files);
    throw error;
  }
}

function closeAll(files: readonly FileSource[]): void {
  for (const file of files) file.close();
}

/** The format of the image that `path` belongs to, and all its segments in order. */
export function findSegments(path: string): ImageReference {
  const source = openFileSource(path);
  try {
    for (const format of imageFormats) {
      const fits = format.signatures.length === 0 || format.signatures.some((signature) => hasSignature(source, signature));
      if (!fits) continue;
      const paths = format.segmentPaths(path);
      if (format.signatures.length === 0 && format !== imageFormats.at(-1) && paths.length < 1) continue;
      return { format: format.name, paths };
    }
  } finally {
    source.close();
  }
  throw new FormatError('image.format', `${basename(path)}: no image format takes it`);
}

/** `onRead` hears of every read of the medium: long stretches without an entry are work too. */
export function openFileSystem(
  image: Image,
  volume: VolumeReference,
  problems: ProblemLog,
  onRead: () => void = () => undefined,
): FileSystem {
  const media = makeSource(image.media.size, (target, offset) => {
    onRead();
    return image.media.readInto(target, offset);
  });
  return fileSystemFormat(volume.fileSystem).open(sliceSource(media, volume.offset, volume.length), problems);
}

export function fileSystemFormat(name: string): FileSystemFormat {
  const format = fileSystems.find((known) => known.name === name);
  if (format === undefined) throw new FormatError('file-system.format', `file system '${name}': not known to this version`);
  return format;
}

export function hasSignature(source: ByteSource, { at, bytes }: Signature): boolean {
  const wanted = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes);
  const offset = at < 0 ? source.size + at : at;
  if (offset < 0 || offset + wanted.length > source.size) return false;
  const found = source.read(offset, wanted.length);
  return found.length === wanted.length && wanted.equals(Buffer.from(viewOf(found).buffer, found.byteOffset, found.length));
}
