/** Signed envelopes: DSSE 1.0.2 (secure-systems-lab/dsse, protocol.md and envelope.md) with Ed25519 (RFC 8032). */
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalText, sha256 } from './canonical.ts';

export const payloadType = 'application/vnd.in-toto+json';

export interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** "Pre-authentication encoding": what is signed. */
export const preAuthEncoding = (type: string, payload: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);

/** `sha256:` and the digest of the key's SubjectPublicKeyInfo: its fingerprint. */
export const keyIdOf = (key: KeyObject): string => `sha256:${sha256(key.export({ type: 'spki', format: 'der' }))}`;

/** The envelope as one line of canonical JSON. */
export function sealEnvelope(statement: unknown, privateKey: KeyObject): string {
  const payload = Buffer.from(canonicalText(statement));
  const sig = sign(null, preAuthEncoding(payloadType, payload), privateKey).toString('base64');
  return canonicalText({
    payload: payload.toString('base64'),
    payloadType,
    signatures: [{ keyid: keyIdOf(createPublicKey(privateKey)), sig }],
  });
}

/** Why an envelope is not to be believed: in words. */
export class EnvelopeError extends Error {}

/** It may be all right: the key to tell is missing. */
export class UnknownSignerError extends EnvelopeError {}

export interface OpenedEnvelope {
  readonly keyId: string;
  /** The payload, exactly as it was signed. */
  readonly statement: unknown;
}

/**
 * Opens an envelope that one of `keys` has signed. The line must be the canonical form of exactly one signature over a canonical payload:
 * so no two lines mean the same. Throws EnvelopeError; `keyid` is only a hint and is checked against the key.
 */
export function openEnvelope(line: string, keys: ReadonlyMap<string, KeyObject>): OpenedEnvelope {
  const envelope = parseEnvelope(line);
  const [signature] = envelope.signatures;
  if (signature === undefined || envelope.signatures.length !== 1)
    throw new EnvelopeError(`${envelope.signatures.length} signatures, expected one`);
  const key = keys.get(signature.keyid);
  if (key === undefined) throw new UnknownSignerError(`signed by ${signature.keyid}, whose key is not at hand`);
  const payload = strictBase64(envelope.payload, 'payload');
  const sig = strictBase64(signature.sig, 'signature');
  if (!verify(null, preAuthEncoding(envelope.payloadType, payload), key, sig)) throw new EnvelopeError('the signature does not fit');
  const text = strictUtf8(payload);
  const statement: unknown = parseJson(text, 'payload');
  if (canonicalOf(statement, 'payload') !== text) throw new EnvelopeError('the payload is not in canonical form');
  return { keyId: signature.keyid, statement };
}

/** Strictly the three members, and nothing else. Throws EnvelopeError. */
export function parseEnvelope(line: string): Envelope {
  const value = parseJson(line, 'envelope');
  if (!isEnvelope(value)) throw new EnvelopeError('not an envelope: expected payload, payloadType and signatures');
  if (value.payloadType !== payloadType)
    throw new EnvelopeError(`payload of type '${value.payloadType.slice(0, 80)}', expected '${payloadType}'`);
  if (canonicalOf(value, 'envelope') !== line) throw new EnvelopeError('the envelope is not in canonical form');
  return value;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new EnvelopeError(`${what}: not JSON`);
  }
}

function canonicalOf(value: unknown, what: string): string {
  try {
    return canonicalText(value);
  } catch (error) {
    throw new EnvelopeError(`${what}: ${(error as Error).message}`, { cause: error });
  }
}

function isEnvelope(value: unknown): value is Envelope {
  if (typeof value !== 'object' || value === null || Object.keys(value).sort().join() !== 'payload,payloadType,signatures') return false;
  const { payload, payloadType: type, signatures } = value as Record<string, unknown>;
  return typeof payload === 'string' && typeof type === 'string' && Array.isArray(signatures) && signatures.every(isSignature);
}

function isSignature(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).sort().join() !== 'keyid,sig') return false;
  const { keyid, sig } = value as Record<string, unknown>;
  return typeof keyid === 'string' && typeof sig === 'string';
}

/** Whatever is no UTF-8 would become U+FFFD elsewhere: then other bytes would read alike. A byte order mark stays, and is no JSON. */
function strictUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new EnvelopeError('payload: not UTF-8', { cause: error });
  }
}

/** Node's decoder takes almost anything: only the one right spelling is taken here. */
function strictBase64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) throw new EnvelopeError(`${what}: not in canonical base64 (RFC 4648 section 3.5)`);
  return bytes;
}
