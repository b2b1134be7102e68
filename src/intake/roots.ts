/** Files below evidence roots: named by root and relative path, found without following any link, only ever read. */
import { type BigIntStats, constants } from 'node:fs';
import { access, lstat, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type EvidenceRoot } from '../config.ts';
import { IntakeError } from './intake-error.ts';

export interface PlacedFile {
  /** Absolute, without links. */
  readonly path: string;
  readonly name: string;
  readonly found: BigIntStats;
}

const refuse = (code: string, what: string) => new IntakeError(code, what);

/**
 * Throws IntakeError. Each component is looked at by itself, from the root down: a link anywhere below the root is refused, wherever it leads.
 * The root itself may be a link: whoever configured it chose where it leads.
 */
export async function findPlaced(root: Pick<EvidenceRoot, 'name' | 'path'>, path: string): Promise<PlacedFile> {
  const components = componentsOf(path);
  const start = await realpath(root.path).catch(() => {
    throw refuse('place.root', `the evidence root '${root.name}' cannot be looked at at present`);
  });
  let at = start;
  let found: BigIntStats | null = null;
  for (const [index, component] of components.entries()) {
    at = join(at, component);
    found = await lstat(at, { bigint: true }).catch(() => null); // missing, not to be looked at, name too long: all the same to whoever asks
    const isLast = index === components.length - 1;
    if (found === null) throw refuse('place.not-found', 'nothing is at this path below the root, or nothing that can be read');
    if (found.isSymbolicLink())
      throw refuse('place.link', `component ${index + 1} of the path is a link: links below an evidence root are not followed`);
    if (isLast ? !found.isFile() : !found.isDirectory())
      throw refuse('place.kind', `component ${index + 1} of the path is no ${isLast ? 'file' : 'folder'}`);
  }
  if ((await realpath(at)) !== at) throw refuse('place.link', 'the path changed while it was looked at');
  if (found!.size === 0n) throw refuse('place.empty', 'the file has no bytes, expected a segment of an image');
  await access(at, constants.R_OK).catch(() => {
    throw refuse('place.not-found', 'nothing is at this path below the root, or nothing that can be read');
  });
  return { path: at, name: basename(at), found: found! };
}

/** Of a relative path with `/` between its components; no empty ones, no `.` and `..`, nothing that a file system reads otherwise. */
function componentsOf(path: string): string[] {
  const components = path.split('/');
  const isWrong = (component: string) =>
    component === '' ||
    component === '.' ||
    component === '..' ||
    Buffer.byteLength(component) > 255 ||
    /[\0\\]|\p{Cc}|\p{Cs}/u.test(component);
  if (path.length > 4096 || components.length > 64 || components.some(isWrong))
    throw refuse('place.path', 'expected a relative path of plain names with / between them, without . and ..');
  return components;
}
