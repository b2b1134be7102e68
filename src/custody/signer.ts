/** The installation's signing key: made at the first start, readable by its owner only, never overwritten. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { keyIdOf } from './dsse.ts';

export interface Signer {
  /** Fingerprint: `sha256:` and 64 hex digits. */
  readonly keyId: string;
  readonly publicKeyPem: string;
  readonly privateKey: KeyObject;
  /** True when this start has made the key. */
  readonly isNew: boolean;
}

const keyFile = 'signing-key.pem';

/** Several processes that start at once end up with the same key. Throws Error where the file may be read by others, or is no Ed25519 key. */
export async function openSigner(folder: string): Promise<Signer> {
  const path = join(folder, keyFile);
  const known = await readKey(path);
  if (known !== null) return signerOf(known, false);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const isNew = await writeKey(folder, path);
  const key = await readKey(path);
  if (key === null) throw new Error(`key.missing: ${path} is gone right after it was made`);
  return signerOf(key, isNew);
}

/** The key of this installation where there is one; nothing is made. */
export async function readSigner(folder: string): Promise<Signer | null> {
  const key = await readKey(join(folder, keyFile));
  return key === null ? null : signerOf(key, false);
}

function signerOf(privateKey: KeyObject, isNew: boolean): Signer {
  const publicKey = createPublicKey(privateKey);
  return { keyId: keyIdOf(publicKey), publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(), privateKey, isNew };
}

async function readKey(path: string): Promise<KeyObject | null> {
  try {
    const { mode } = await stat(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new Error(`key.permissions: ${path} has mode ${(mode & 0o777).toString(8)}, expected 600: others could read the signing key`);
    }
    return parseKey(await readFile(path), path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function parseKey(pem: Buffer, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    throw new Error(`key.kind: ${path} holds no private key in PEM form: ${(error as Error).message}`, { cause: error });
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(`key.kind: ${path} holds a key of type ${key.asymmetricKeyType}, expected ed25519`);
  return key;
}

/** Written under another name and linked to its own: the file is whole or not there, and the first one wins. */
async function writeKey(folder: string, path: string): Promise<boolean> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const draft = join(folder, `.${keyFile}.${randomBytes(8).toString('hex')}`);
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
    const directory = await open(folder, 'r');
    await directory.sync().finally(() => directory.close());
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}
