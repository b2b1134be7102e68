/**
 * Signed envelopes. Witnesses: the pre-authentication encoding of DSSE 1.0.2 (protocol.md, "Test Vectors"), RFC 8032 section 7.1 for Ed25519,
 * and OpenSSL, which verifies one of ours where it is found.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonicalText } from '../../src/custody/canonical.ts';
import { EnvelopeError, keyIdOf, openEnvelope, parseEnvelope, payloadType, preAuthEncoding, sealEnvelope } from '../../src/custody/dsse.ts';
import { hasTool, toolOutput } from '../support/tools.ts';

/** RFC 8410 section 10.3: a private key is this header and its 32 bytes; section 4: a public key likewise. */
const privateFrom = (seed: string): KeyObject =>
  createPrivateKey({ key: Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex'), format: 'der', type: 'pkcs8' });
const spki = (publicKey: string): Buffer => Buffer.from(`302a300506032b6570032100${publicKey}`, 'hex');

/** RFC 8032 section 7.1, TEST 1 and TEST 3. */
const vectors = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
];

it.each(vectors)('signs as RFC 8032 says: $message', ({ seed, publicKey, message, signature }) => {
  const key = privateFrom(seed);
  expect(sign(null, Buffer.from(message, 'hex'), key).toString('hex')).toBe(signature);
  expect(createPublicKey(key).export({ type: 'spki', format: 'der' })).toEqual(spki(publicKey));
  expect(keyIdOf(createPublicKey(key))).toBe(`sha256:${createHash('sha256').update(spki(publicKey)).digest('hex')}`);
});

it('encodes what is signed as the DSSE specification shows', () => {
  const encoded = preAuthEncoding('http://example.com/HelloWorld', Buffer.from('hello world'));
  expect(encoded.toString('latin1')).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  expect(preAuthEncoding('é', Buffer.from([0xff, 0x00]))).toEqual(Buffer.concat([Buffer.from('DSSEv1 2 é 2 '), Buffer.from([0xff, 0x00])]));
});

const key = privateFrom(vectors[0]!.seed);
const keys = new Map([[keyIdOf(createPublicKey(key)), createPublicKey(key)]]);
const statement = { b: 'zwei', a: [1, { name: 'ключ' }] };
const sealed = sealEnvelope(statement, key);

it('gives back what was sealed, as one line', () => {
  expect(sealed).not.toContain('\n');
  expect(openEnvelope(sealed, keys)).toEqual({ keyId: keyIdOf(createPublicKey(key)), statement });
  const { payload, signatures } = JSON.parse(sealed);
  expect(Buffer.from(payload, 'base64').toString('utf8')).toBe('{"a":[1,{"name":"ключ"}],"b":"zwei"}');
  const signed = Buffer.concat([Buffer.from('DSSEv1 28 application/vnd.in-toto+json 40 '), Buffer.from(payload, 'base64')]);
  expect(verify(null, signed, createPublicKey(key), Buffer.from(signatures[0].sig, 'base64'))).toBe(true);
});

it.skipIf(!hasTool('openssl'))('is verified by openssl pkeyutl', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-dsse-'));
  try {
    const { payload, signatures } = JSON.parse(sealed);
    const bytes = Buffer.from(payload, 'base64');
    writeFileSync(join(folder, 'signed'), `DSSEv1 28 application/vnd.in-toto+json ${bytes.length} ${bytes.toString('utf8')}`);
    writeFileSync(join(folder, 'signature'), Buffer.from(signatures[0].sig, 'base64'));
    writeFileSync(join(folder, 'key.pem'), createPublicKey(key).export({ type: 'spki', format: 'pem' }));
    const args = ['pkeyutl', '-verify', '-pubin', '-inkey', join(folder, 'key.pem'), '-rawin', '-in', join(folder, 'signed')];
    expect(toolOutput('openssl', [...args, '-sigfile', join(folder, 'signature')])).toContain('Signature Verified Successfully');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('an envelope is refused', () => {
  const envelope = () => structuredClone(JSON.parse(sealed));
  const signedAs = (payload: Buffer, type = payloadType) =>
    canonicalText({
      payload: payload.toString('base64'),
      payloadType: type,
      signatures: [{ keyid: keyIdOf(createPublicKey(key)), sig: sign(null, preAuthEncoding(type, payload), key).toString('base64') }],
    });
  const refused: [string, string, RegExp][] = [
    ['no JSON', '{', /envelope: not JSON/],
    ['no object', '[]', /not an envelope/],
    ['null', 'null', /not an envelope/],
    ['a member too many', canonicalText({ ...envelope(), note: 'x' }), /not an envelope/],
    ['a member missing', canonicalText({ payload: '', payloadType }), /not an envelope/],
    [
      'a member of a signature too many',
      canonicalText({ ...envelope(), signatures: [{ ...envelope().signatures[0], x: 1 }] }),
      /not an envelope/,
    ],
    ['spaces between', sealed.replace(',', ', '), /envelope is not in canonical form/],
    ['a member twice', sealed.replace('{', '{"payload":"e30=",'), /envelope is not in canonical form/],
    ['another order', JSON.stringify({ payloadType, payload: envelope().payload, signatures: envelope().signatures }), /canonical form/],
    ['an escape that is not needed', sealed.replace('payloadType', 'payload\\u0054ype'), /canonical form/],
    ['a lone surrogate', sealed.replace('"keyid":"', '"keyid":"\\ud800'), /envelope: .*surrogate/],
    ['no signature', canonicalText({ ...envelope(), signatures: [] }), /0 signatures/],
    ['two signatures', canonicalText({ ...envelope(), signatures: [envelope().signatures[0], envelope().signatures[0]] }), /2 signatures/],
    ['an unknown key', canonicalText({ ...envelope(), signatures: [{ ...envelope().signatures[0], keyid: 'sha256:00' }] }), /not at hand/],
    ['another type', signedAs(Buffer.from('{}'), 'text/plain'), /payload of type 'text\/plain'/],
    ['base64url', sealed.replace(/=*","payloadType/, '_","payloadType'), /payload: not in canonical base64/],
    ['bits behind the padding', canonicalText({ ...envelope(), payload: 'e31=' }), /payload: not in canonical base64/],
    ['spaces within the base64', canonicalText({ ...envelope(), payload: `${envelope().payload} ` }), /payload: not in canonical base64/],
    [
      'a signature of another length',
      canonicalText({ ...envelope(), signatures: [{ ...envelope().signatures[0], sig: 'AAAA' }] }),
      /does not fit/,
    ],
    ['a payload that is no JSON', signedAs(Buffer.from('{"a":')), /payload: not JSON/],
    ['a payload in another order', signedAs(Buffer.from('{"b":1,"a":2}')), /payload is not in canonical form/],
    ['a payload with a line end', signedAs(Buffer.from('{}\n')), /payload is not in canonical form/],
    ['a payload with a number written otherwise', signedAs(Buffer.from('{"a":1.0}')), /payload is not in canonical form/],
    ['a payload that is no UTF-8', signedAs(Buffer.from([0x22, 0xff, 0x22])), /payload: not UTF-8/],
    ['a payload with a byte order mark', signedAs(Buffer.from('\ufeff{}')), /payload: not JSON/],
    ['a payload with a lone surrogate', signedAs(Buffer.from('"\\ud800"')), /payload: .*surrogate/],
  ];
  it.each(refused)('%s', (_, line, reason) => {
    expect(() => openEnvelope(line, keys)).toThrow(EnvelopeError);
    expect(() => openEnvelope(line, keys)).toThrow(reason);
  });

  it('signed by another key under this name', () => {
    const other = generateKeyPairSync('ed25519').publicKey;
    expect(() => openEnvelope(sealed, new Map([[keyIdOf(createPublicKey(key)), other]]))).toThrow(/signature does not fit/);
  });

  it('but parsed without its key where only its form is asked for', () => {
    expect(parseEnvelope(sealed)).toEqual(JSON.parse(sealed));
  });
});
