/** The signing key in its file. Witnesses: stat(2), and OpenSSL for the fingerprint and the kind of key where it is found. */
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openSigner, readSigner } from '../../src/custody/signer.ts';
import { hasTool, toolOutput } from '../support/tools.ts';

const parent = mkdtempSync(join(tmpdir(), 'custodia-signer-'));
let count = 0;
const newFolder = () => join(parent, String(++count), 'keys');
const keyIn = (folder: string) => join(folder, 'signing-key.pem');

afterAll(() => rmSync(parent, { recursive: true, force: true }));

it('is made at the first start, 0600 in a folder of 0700, and stays the same', async () => {
  const folder = newFolder();
  expect(await readSigner(folder)).toBeNull();
  const first = await openSigner(folder);
  expect(first.isNew).toBe(true);
  expect([statSync(folder).mode & 0o777, statSync(keyIn(folder)).mode & 0o777]).toEqual([0o700, 0o600]);
  expect(readdirSync(folder)).toEqual(['signing-key.pem']);
  const written = readFileSync(keyIn(folder));
  const again = await openSigner(folder);
  expect({ ...again, privateKey: null }).toEqual({ ...first, privateKey: null, isNew: false });
  expect((await readSigner(folder))?.keyId).toBe(first.keyId);
  expect(readFileSync(keyIn(folder))).toEqual(written);
  const der = createPublicKey(written).export({ type: 'spki', format: 'der' });
  expect(first.keyId).toBe(`sha256:${createHash('sha256').update(der).digest('hex')}`);
});

it.skipIf(!hasTool('openssl'))('is an Ed25519 key to openssl, with the same fingerprint', async () => {
  const folder = newFolder();
  const { keyId } = await openSigner(folder);
  expect(toolOutput('openssl', ['pkey', '-in', keyIn(folder), '-noout', '-text'])).toMatch(/^ED25519 Private-Key/);
  const der = join(folder, 'public.der');
  toolOutput('openssl', ['pkey', '-in', keyIn(folder), '-pubout', '-outform', 'DER', '-out', der]);
  expect(toolOutput('openssl', ['dgst', '-sha256', '-r', der]).slice(0, 64)).toBe(keyId.slice('sha256:'.length));
});

it('is one key for twenty that start at once, and one of them has made it', async () => {
  const folder = newFolder();
  const signers = await Promise.all(Array.from({ length: 20 }, () => openSigner(folder)));
  expect(new Set(signers.map(({ keyId }) => keyId)).size).toBe(1);
  expect(signers.filter(({ isNew }) => isNew)).toHaveLength(1);
  expect(readdirSync(folder)).toEqual(['signing-key.pem']);
});

it.each([0o640, 0o604, 0o660, 0o644, 0o601])('is refused, and left alone, with mode %o', async (mode) => {
  const folder = newFolder();
  await openSigner(folder);
  const written = readFileSync(keyIn(folder));
  chmodSync(keyIn(folder), mode);
  await expect(openSigner(folder)).rejects.toThrow(`has mode ${mode.toString(8)}, expected 600`);
  await expect(readSigner(folder)).rejects.toThrow(/key\.permissions/);
  expect(readFileSync(keyIn(folder))).toEqual(written);
});

it.each([
  ['empty', ''],
  ['cut off', '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw'],
  ['of another kind', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
])('is refused and never overwritten where the file is %s', async (_, text) => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  writeFileSync(keyIn(folder), text, { mode: 0o600 });
  await expect(openSigner(folder)).rejects.toThrow(/^key\.kind: .*signing-key\.pem/);
  expect(readFileSync(keyIn(folder), 'utf8')).toBe(text);
});
