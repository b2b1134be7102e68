/** The manifest of a report folder: who signed it, and whether the files are those that were signed. */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { closeSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { EnvelopeError, keyIdOf, openEnvelope, parseEnvelope } from '../../custody/dsse.ts';
import { statementType } from '../../custody/event.ts';
import { manifestFile, manifestType, reportFiles } from '../findings.ts';
import { type Check, contradictions, fail, incomplete, ok, troubleOf } from './check.ts';
import { isPlainFile, openPlain, readBytes, readText, sizeOf } from './plain-file.ts';

export interface Manifest {
  readonly keyId: string;
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly files: ReadonlyMap<string, string>;
  readonly predicate: Readonly<Record<string, unknown>>;
}

export interface OpenedManifest {
  readonly manifest: Manifest | null;
  readonly checks: readonly Check[];
}

/** `trusted`: fingerprints, and where the trust comes from. `trustedKeys`: keys that the verifier has at hand, whatever the folder says. */
export function openManifest(
  folder: string,
  trusted: ReadonlyMap<string, string>,
  trustedKeys: ReadonlyMap<string, KeyObject>,
): OpenedManifest {
  const checks: Check[] = [];
  const keys = new Map(trustedKeys);
  const own = readOwnKey(folder, checks);
  if (own !== null) keys.set(keyIdOf(own), own);
  if (!isPlainFile(join(folder, manifestFile))) {
    checks.push(incomplete('signature', `${manifestFile} is not there: nothing in this folder is signed as a whole`));
    return { manifest: null, checks };
  }
  try {
    const text = readText(join(folder, manifestFile), largestManifest);
    const signedBy = parseEnvelope(text).signatures[0]?.keyid ?? 'nobody';
    if (own === null && !keys.has(signedBy)) {
      checks.push(incomplete('signature', `the manifest is signed by ${signedBy}, and that key is not at hand: it cannot be checked`));
      return { manifest: null, checks };
    }
    const { keyId, statement } = openEnvelope(text, keys);
    const { files, predicate } = readStatement(statement);
    checks.push(
      ok('signature', `the manifest is signed, and the signature fits: ${files.size} files, key ${keyId}`),
      trustOf(keyId, trusted),
    );
    return { manifest: { keyId, keys, files, predicate }, checks };
  } catch (error) {
    checks.push(troubleOf('signature', manifestFile, error));
    return { manifest: null, checks };
  }
}

const largestManifest = 1024 * 1024;
const largestKey = 64 * 1024;

function readOwnKey(folder: string, checks: Check[]): KeyObject | null {
  const path = join(folder, 'signer.pub');
  if (!isPlainFile(path)) {
    checks.push(incomplete('key', 'signer.pub is not there'));
    return null;
  }
  try {
    const key = createPublicKey(readBytes(path, largestKey));
    if (key.asymmetricKeyType === 'ed25519') return key;
    checks.push(fail('key', `signer.pub holds a key of type ${key.asymmetricKeyType}, expected ed25519`));
  } catch (error) {
    checks.push(troubleOf('key', 'signer.pub holds no public key', error));
  }
  return null;
}

function trustOf(keyId: string, trusted: ReadonlyMap<string, string>): Check {
  const source = trusted.get(keyId);
  if (source !== undefined) return ok('trust', `the key that signed is one that you trust, ${source}: ${keyId}`);
  const hint = 'ask the laboratory for its fingerprint on another way, and give it with --trust';
  return incomplete('trust', `the key that signed is none that you trust: ${keyId}; ${hint}`);
}

function readStatement(statement: unknown): Pick<Manifest, 'files' | 'predicate'> {
  const { _type, predicateType, subject, predicate } = Object(statement) as Record<string, unknown>;
  if (_type !== statementType || predicateType !== manifestType) throw new EnvelopeError('what is signed is no manifest of a report');
  if (!Array.isArray(subject) || typeof predicate !== 'object' || predicate === null)
    throw new EnvelopeError('the manifest lists no files');
  const files = new Map<string, string>();
  for (const item of subject as { name?: unknown; digest?: { sha256?: unknown } }[]) {
    const { name, digest } = Object(item) as { name?: unknown; digest?: { sha256?: unknown } };
    if (typeof name !== 'string' || typeof digest?.sha256 !== 'string')
      throw new EnvelopeError('a file of the manifest has no name or no digest');
    if (files.has(name)) throw new EnvelopeError(`the manifest names '${name.slice(0, 80)}' twice`);
    files.set(name, digest.sha256);
  }
  const missing = reportFiles.filter((name) => !files.has(name));
  if (missing.length > 0) throw new EnvelopeError(`the manifest does not name ${missing.join(', ')}`);
  return { files, predicate: predicate as Record<string, unknown> };
}

/** Every file of the folder against the manifest. No name of the manifest is opened that is not one of the report's own. */
export function checkFiles(folder: string, { files, predicate }: Manifest): readonly Check[] {
  const checks: Check[] = [];
  const wrong: string[] = [];
  const sizes = Object(predicate.sizes) as Record<string, unknown>;
  for (const name of reportFiles) {
    const path = join(folder, name);
    if (!isPlainFile(path)) checks.push(incomplete('files', `${name} is not there, or is no plain file`));
    else if (digestOf(path) !== files.get(name)) wrong.push(`${name} is not as it was signed: its SHA-256 differs`);
    else if (sizes[name] !== sizeOf(path)) wrong.push(`${name} has ${sizeOf(path)} bytes, the manifest states ${sizes[name]}`);
  }
  const known = new Set<string>([...reportFiles, manifestFile]);
  const strange = readdirSync(folder).filter((name) => !known.has(name));
  const unnamed = [...files.keys()].filter((name) => !known.has(name));
  wrong.push(...strange.map((name) => `'${name.slice(0, 80)}' lies in the folder and is not part of the report`));
  wrong.push(...unnamed.map((name) => `the manifest names '${name.slice(0, 80)}', which no report has`));
  return [...checks, contradictions('files', wrong, `${reportFiles.length - checks.length} files are byte for byte as they were signed`)];
}

export function digestOf(path: string): string {
  const hash = createHash('sha256');
  const descriptor = openPlain(path);
  try {
    const piece = Buffer.alloc(1024 * 1024);
    for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece)) hash.update(piece.subarray(0, read));
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}
