/** `custodia verify`: a line for each check, in plain words, and an honest exit status. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { leafSize } from '../config.ts';
import { keyIdOf } from '../custody/dsse.ts';
import { readSigner, type Signer } from '../custody/signer.ts';
import { openThreadPool } from '../pipeline/piscina-pool.ts';
import { TaskError } from '../pipeline/task-error.ts';
import { type Check } from '../reports/verify/check.ts';
import { type DigestedEvidence } from '../reports/verify/evidence.ts';
import { verifyReport } from '../reports/verify.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { refuseUnusable } from './process.ts';
import { jsonLine, visible } from './terminal.ts';

export interface VerifyRun {
  readonly folder: string;
  /** Files of the image, any one of a set is enough. */
  readonly evidence: readonly string[];
  /** Files of public keys, or fingerprints; none: the key of the installation in `dataFolder`, where there is one. */
  readonly trust: readonly string[];
  readonly json: boolean;
  readonly dataFolder: string;
  readonly threads: number;
  /** Of this program. */
  readonly version: string;
  write(text: string): unknown;
}

export async function runVerify(run: VerifyRun): Promise<number> {
  const { folder, evidence, trust, json, dataFolder, threads, version, write } = run;
  if ((await stat(folder).catch(() => null))?.isDirectory() !== true) {
    throw new CommandError(exitCodes.refused, 'report.not-found', `${folder}: is no folder, expected one that holds a report`);
  }
  await access(folder, constants.R_OK | constants.X_OK).catch(({ code }: NodeJS.ErrnoException) => {
    throw new CommandError(exitCodes.refused, 'report.unreadable', `${folder}: cannot be read by this account (${code})`);
  });
  for (const given of evidence) await refuseUnusable(resolve(given), given);
  const { fingerprints, keys } = await readTrust(trust, dataFolder);
  const digestEvidence = evidence.length === 0 ? null : () => digestImage(evidence, threads);
  const here = { version, runtime: `Node ${process.versions.node}` };
  const found: Check[] = [];
  for await (const check of verifyReport({ folder, trusted: fingerprints, trustedKeys: keys, here, digestEvidence })) {
    found.push(check);
    write(json ? jsonLine({ event: 'check', ...check }) : `${words[check.verdict].padEnd(11)} ${check.what}: ${visible(check.text)}\n`);
  }
  const status = statusOf(found);
  write(json ? jsonLine({ event: 'verdict', status, text: verdicts[status] }) : `\n${verdicts[status]}\n`);
  return status;
}

const words = { ok: 'OK', fail: 'FAIL', incomplete: 'INCOMPLETE', unchecked: 'NOT CHECKED' } as const;

const verdicts: Readonly<Record<number, string>> = {
  [exitCodes.complete]: 'All that was checked holds.',
  [exitCodes.failed]: 'THIS REPORT CONTRADICTS ITSELF OR THE EVIDENCE: see the lines marked FAIL.',
  [exitCodes.untrusted]:
    'Nothing contradicts, but something is missing or is signed by a key that you do not trust: see the lines marked INCOMPLETE.',
};

function statusOf(found: readonly Check[]): number {
  if (found.some(({ verdict }) => verdict === 'fail')) return exitCodes.failed;
  return found.some(({ verdict }) => verdict === 'incomplete') ? exitCodes.untrusted : exitCodes.complete;
}

/** What is given with `--trust`; nothing: the key of the installation at hand. */
export async function readTrust(
  trust: readonly string[],
  dataFolder: string,
): Promise<{ fingerprints: Map<string, string>; keys: Map<string, KeyObject> }> {
  const fingerprints = new Map<string, string>();
  const keys = new Map<string, KeyObject>();
  const own = trust.length === 0 ? await readOwnKey(dataFolder) : null;
  if (own !== null) {
    fingerprints.set(own.keyId, `as that of the installation in ${dataFolder}`);
    keys.set(own.keyId, createPublicKey(own.publicKeyPem));
  }
  for (const given of trust) {
    if (/^sha256:[0-9a-f]{64}$/.test(given)) fingerprints.set(given, 'as given with --trust');
    else {
      const key = await readKeyFile(given);
      fingerprints.set(keyIdOf(key), `as given with --trust ${given}`);
      keys.set(keyIdOf(key), key);
    }
  }
  return { fingerprints, keys };
}

/** The key of the installation at hand, where there is one. */
async function readOwnKey(dataFolder: string): Promise<Signer | null> {
  try {
    return await readSigner(join(dataFolder, 'keys'));
  } catch (error) {
    const text = `the key of the installation in ${dataFolder} cannot be used: ${(error as Error).message}; --trust names another`;
    throw new CommandError(exitCodes.refused, 'trust.own-key', text);
  }
}

async function readKeyFile(path: string): Promise<KeyObject> {
  try {
    return createPublicKey(await readFile(path));
  } catch (error) {
    const expected = "expected a file with a public key, or 'sha256:' and 64 hex digits";
    throw new CommandError(exitCodes.refused, 'trust.unreadable', `--trust ${path}: ${(error as Error).message}; ${expected}`);
  }
}

/** On threads of its own: no database, nothing else of an installation. */
async function digestImage(paths: readonly string[], threads: number): Promise<DigestedEvidence> {
  const pool = openThreadPool({ threads, heapMiB: 512, silenceMs: 120_000, onError: () => undefined });
  const options = { onBatch: () => undefined, signal: new AbortController().signal };
  try {
    const [first] = paths;
    const image = await pool.run({ kind: 'find-segments', path: resolve(first!) }, options);
    const known = new Set(image.paths);
    const strange = paths.filter((path) => !known.has(resolve(path)));
    if (strange.length > 0) throw new Error(`${strange.join(', ')}: not of the same image as ${first}`);
    try {
      return { ...(await pool.run({ kind: 'hash-media', image, leafSize }, options)), refused: null };
    } catch (error) {
      if (!(error instanceof TaskError && error.final)) throw error;
      const segments = await pool.run({ kind: 'hash-segments', image }, options);
      return { segments, media: {}, leaves: [], refused: error.message };
    }
  } finally {
    await pool.close();
  }
}
