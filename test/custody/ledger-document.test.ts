/** The test vectors of docs/LEDGER.md, recomputed from the document's own text, by its own rules and then by ours. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readChain, sealNext } from '../../src/custody/chain.ts';
import { keyIdOf } from '../../src/custody/dsse.ts';
import { type CustodyEvent, eventTypes, type Statement } from '../../src/custody/event.ts';
import { merkleRoot } from '../../src/custody/merkle.ts';

const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'LEDGER.md'), 'utf8');
const block = (name: string): string => new RegExp(`\`\`\`${name.replace('.', '\\.')}\\n([\\s\\S]*?)\`\`\``).exec(text)![1]!;
const rows = (shape: RegExp): string[][] => [...text.matchAll(shape)].map((match) => match.slice(1) as string[]);

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');
const secret = /Secret key:\n\n {4}([0-9a-f]{64})\n/.exec(text)![1]!;
const [, publicHex, fingerprint] = /its fingerprint:\n\n {4}([0-9a-f]{64})\n {4}(sha256:[0-9a-f]{64})\n/.exec(text)!;

/** RFC 8410 section 7: an Ed25519 key in PKCS #8 is these 16 bytes and the secret key. */
const privateKey = createPrivateKey({ key: Buffer.from(`302e020100300506032b657004220420${secret}`, 'hex'), format: 'der', type: 'pkcs8' });
const publicKey = createPublicKey(block('signer.pub'));

const lines = block('ledger.jsonl').trimEnd().split('\n');
const vectors = rows(/^\| ([01]) \| (\d+) \| `([0-9a-f]{64})` \| `([0-9a-f]{64})` \|$/gm).map(([event, length, pae, digest]) => ({
  event: Number(event),
  length: Number(length),
  pae,
  digest,
}));

interface Envelope {
  payload: string;
  payloadType: string;
  signatures: { keyid: string; sig: string }[];
}

/** Section 2, word by word. */
function preAuthEncoding({ payload, payloadType }: Envelope): Buffer {
  const body = Buffer.from(payload, 'base64');
  return Buffer.concat([Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${body.length} `, 'ascii'), body]);
}

describe('docs/LEDGER.md, section 8', () => {
  it('has the key pair of RFC 8032 section 7.1, TEST 1, and its fingerprint', () => {
    expect(publicHex).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
    const der = publicKey.export({ type: 'spki', format: 'der' });
    expect(der.subarray(-32).toString('hex')).toBe(publicHex);
    expect(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })).toEqual(der);
    expect(`sha256:${sha256(der)}`).toBe(fingerprint);
    expect(keyIdOf(publicKey)).toBe(fingerprint);
  });

  it('has a vector for each of its two lines', () => {
    expect(lines.length).toBe(2);
    expect(vectors.map(({ event }) => event)).toEqual([0, 1]);
    expect(Buffer.from((JSON.parse(lines[0]!) as Envelope).payload, 'base64').toString()).toBe(block('payload').trimEnd());
  });

  it.each([0, 1])('event %i: PAE, signature, event digest, chain and subject follow from the text', (index) => {
    const line = lines[index]!;
    const envelope = JSON.parse(line) as Envelope;
    const vector = vectors[index]!;
    expect(Object.keys(envelope)).toEqual(['payload', 'payloadType', 'signatures']);
    expect(Buffer.from(envelope.payload, 'base64').length).toBe(vector.length);
    const encoded = preAuthEncoding(envelope);
    expect(sha256(encoded)).toBe(vector.pae);
    const [signature] = envelope.signatures;
    expect(signature!.keyid).toBe(fingerprint);
    expect(verify(null, encoded, publicKey, Buffer.from(signature!.sig, 'base64'))).toBe(true);
    expect(sign(null, encoded, privateKey).toString('base64')).toBe(signature!.sig); // Ed25519 gives one signature only
    expect(sha256(line)).toBe(vector.digest);
    const { predicate, subject } = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as Statement;
    expect(predicate.seq).toBe(index);
    expect(predicate.prev).toEqual(index === 0 ? null : { sha256: vectors[index - 1]!.digest });
    const reference = '{"case":"2026-117","label":"A-1"}';
    expect(text).toContain(`\`${reference}\`: \`${sha256(reference)}\``);
    expect(subject).toEqual([{ name: '2026-117/A-1', digest: { sha256: sha256(reference) } }]);
  });

  it('is read and written by this program alike', () => {
    const keys = new Map<string, KeyObject>([[fingerprint!, publicKey]]);
    const { events, faults, head } = readChain(lines, keys, { case: '2026-117', label: 'A-1' });
    expect(faults).toEqual([]);
    expect(head).toEqual({ seq: 1, digest: vectors[1]!.digest });
    let before = { seq: -1, digest: '' };
    for (const [index, { seq, prev: _prev, ...event }] of events.entries()) {
      const sealed = sealNext(before, event as CustodyEvent, privateKey);
      expect(sealed).toEqual({ envelope: lines[index], digest: vectors[index]!.digest });
      before = { seq, digest: sealed.digest };
    }
  });

  it('has the Merkle roots of RFC 6962', () => {
    const roots = rows(/^\| (none|[a-e](?: [a-e])*) \| `([0-9a-f]{64})` \|$/gm);
    expect(roots.length).toBe(5);
    for (const [letters, root] of roots) {
      const leaves = letters === 'none' ? [] : letters!.split(' ').map((letter) => Buffer.from(letter));
      expect(treeHash(leaves).toString('hex')).toBe(root);
      expect(merkleRoot(leaves)).toBe(root);
    }
  });
});

/** RFC 6962 section 2.1 as it is written there: by splitting, not by gathering. */
function treeHash(leaves: readonly Uint8Array[]): Buffer {
  const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  if (leaves.length === 0) return hash();
  if (leaves.length === 1) return hash(Uint8Array.of(0), leaves[0]!);
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return hash(Uint8Array.of(1), treeHash(leaves.slice(0, split)), treeHash(leaves.slice(split)));
}

describe('docs/LEDGER.md, section 3', () => {
  it('lists the types of events', () => {
    expect(text).toContain(`\`${eventTypes.join(' ')}\``);
  });
});
