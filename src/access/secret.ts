/** Secrets that are shown once: 256 random bits each, of which only the SHA-256 is kept. */
import { createHash, randomBytes } from 'node:crypto';

export interface Secret {
  /** For whoever it is made for; never kept, never logged. */
  readonly text: string;
  readonly sha256: Buffer;
}

export const digestOfSecret = (text: string): Buffer => createHash('sha256').update(text).digest();

const secretOf = (text: string): Secret => ({ text, sha256: digestOfSecret(text) });

/** Begins with `cst_`, so that scanners for leaked secrets know it. */
export const newApiToken = (): Secret => secretOf(`cst_${randomBytes(32).toString('base64url')}`);

export const newSessionSecret = (): Secret => secretOf(randomBytes(32).toString('base64url'));

export const isApiToken = (text: string): boolean => /^cst_[A-Za-z0-9_-]{43}$/.test(text);
export const isSessionSecret = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);
