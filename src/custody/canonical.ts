/** The one form of a JSON value as bytes: RFC 8785 (JCS). What has no such form is refused. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** Throws TypeError for lone surrogates, numbers that are not finite, and what is no JSON. */
export function canonicalText(value: unknown): string {
  const text = write(value);
  if (text === undefined) throw new TypeError('value has no canonical form: it is no JSON');
  if (!text.isWellFormed()) throw new TypeError('value has no canonical form: it holds a lone surrogate (RFC 8785 section 3.2.2.2)');
  return text;
}

function write(value: unknown): string | undefined {
  try {
    return canonicalize(value);
  } catch (error) {
    throw new TypeError(`value has no canonical form: ${(error as Error).message}`, { cause: error });
  }
}

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

export const canonicalDigest = (value: unknown): string => sha256(canonicalText(value));
