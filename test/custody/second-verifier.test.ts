/** docs/LEDGER.md is enough: a verifier written from it alone, in another language, agrees with ours on a real report and on damaged ones. */
import { spawnSync } from 'node:child_process';
import { type KeyObject } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/custody/canonical.ts';
import { sealEnvelope } from '../../src/custody/dsse.ts';
import { openSigner } from '../../src/custody/signer.ts';
import { manifestFile, reportFiles } from '../../src/reports/findings.ts';
import { type TestDatabase, testDatabase } from '../support/database.ts';
import { hasTool } from '../support/tools.ts';

const root = join(import.meta.dirname, '..', '..');
const work = mkdtempSync(join(tmpdir(), 'custodia-second-'));
const main = join(root, 'src', 'cli', 'main.ts');
const report = join(work, 'report');
let database: TestDatabase | undefined;
let fingerprint = '';

function process(out: string): void {
  const image = join(root, 'fixtures', 'disk-mbr-e01', 'image.E01');
  const names = ['--case', '2026-117 / ä', '--exhibit', 'A:1', '--examiner', 'J. Doe'];
  const args = [main, 'process', image, ...names, '--data', join(work, 'data'), '--out', out];
  const { status, stderr } = spawnSync(globalThis.process.execPath, args, {
    env: { ...globalThis.process.env, DATABASE_URL: database!.url, QUEUE_URL: '' },
    encoding: 'utf8',
  });
  if (status !== 0 && status !== 4) throw new Error(`process ended with ${status}: ${stderr}`);
}

const second = (folder: string, key = fingerprint) =>
  spawnSync('python3', [join(import.meta.dirname, 'second-verifier.py'), folder, key], { encoding: 'utf8' });

/** Ours: exit status and lines. */
const ours = (folder: string) =>
  spawnSync(globalThis.process.execPath, [main, 'verify', folder, '--trust', fingerprint], { encoding: 'utf8' });

/** A copy of the report, changed by `change`. */
function changed(name: string, change: (folder: string) => void): string {
  const folder = join(work, name);
  cpSync(report, folder, { recursive: true });
  change(folder);
  return folder;
}

function edit(folder: string, name: string, change: (text: string) => string): void {
  const path = join(folder, name);
  const before = readFileSync(path, 'utf8');
  const after = change(before);
  if (after === before) throw new Error(`${name}: nothing was changed`);
  writeFileSync(path, after);
}

afterAll(async () => {
  await database?.close();
  rmSync(work, { recursive: true, force: true });
});

describe.skipIf(!hasTool('python3'))('a second verifier (Python 3, standard library)', () => {
  beforeAll(async () => {
    database = await testDatabase();
    process(report);
    fingerprint = (await openSigner(join(work, 'data', 'keys'))).keyId;
  });

  it('finds nothing wrong with a report, and neither do we', () => {
    const { status, stdout, stderr } = second(report);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(ours(report).status).toBe(0);
    expect(readdirSync(report).length).toBe(9);
  });

  it('needs no member that the document does not name', () => {
    const text = readFileSync(join(root, 'docs', 'LEDGER.md'), 'utf8');
    const named = new Set([...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => code!.match(/[A-Za-z0-9_]+/g) ?? []));
    const lines = (name: string) => readFileSync(join(report, name), 'utf8').trimEnd().split('\n');
    const statements = [...lines('ledger.jsonl'), ...lines('manifest.dsse.json')].map((line) => {
      const { payload } = JSON.parse(line) as { payload: string };
      return JSON.parse(Buffer.from(payload, 'base64').toString()) as unknown;
    });
    const records = [...lines('entries.jsonl'), ...lines('problems.jsonl'), ...lines('leaves.json'), ...lines('report.json')].map(
      (line) => JSON.parse(line) as unknown,
    );
    const members = new Set([...statements, ...records].flatMap((value) => [...membersOf(value)]));
    expect(members.size).toBeGreaterThan(120);
    expect([...members].filter((member) => !named.has(member))).toEqual([]);
  });

  it('does not take the key of the folder on trust', () => {
    const { status, stdout } = second(report, `sha256:${'0'.repeat(64)}`);
    expect({ status, stdout }).toEqual({ status: 1, stdout: `the key is ${fingerprint}\n` });
  });

  it.each([...reportFiles, manifestFile])('finds one changed bit in %s', (name) => {
    const folder = changed(name, (copy) => {
      const bytes = readFileSync(join(copy, name));
      bytes[Math.floor(bytes.length * 0.7)]! ^= 1;
      writeFileSync(join(copy, name), bytes);
    });
    expect(second(folder).status).toBe(1);
  });

  it('finds an event taken from the end, in a folder that is signed anew with the right key', async () => {
    const signer = await openSigner(join(work, 'data', 'keys'));
    const folder = changed('cut', (copy) => {
      edit(copy, 'ledger.jsonl', (text) => `${text.trimEnd().split('\n').slice(0, -1).join('\n')}\n`);
      signAnew(copy, signer.privateKey);
    });
    const { status, stdout } = second(folder);
    expect(status).toBe(1);
    expect(stdout).toContain('another head than the report says');
    const { status: own, stdout: lines } = ours(folder);
    expect({ own, lines }).toEqual({ own: 1, lines: expect.stringMatching(/^FAIL +ledger: /m) });
  });

  it('finds a cell of the table changed, in a folder that is signed anew with the right key', async () => {
    const signer = await openSigner(join(work, 'data', 'keys'));
    const folder = changed('cell', (copy) => {
      edit(copy, 'entries.csv', (text) => text.replace(',yes,', ',no,'));
      signAnew(copy, signer.privateKey);
    });
    expect(second(folder).stdout).toBe('entries.csv: not the table of entries.jsonl\n');
  });

  it('finds an entry left out, in a folder that is signed anew with the right key', async () => {
    const signer = await openSigner(join(work, 'data', 'keys'));
    const folder = changed('left-out', (copy) => {
      edit(copy, 'entries.jsonl', (text) => text.slice(text.indexOf('\n') + 1));
      signAnew(copy, signer.privateKey);
    });
    const { status, stdout } = second(folder);
    expect(status).toBe(1);
    expect(stdout).toContain('another catalogue root');
    const { status: own, stdout: lines } = ours(folder);
    expect({ own, lines }).toEqual({ own: 1, lines: expect.stringMatching(/^FAIL +catalogue: .*catalogue root/m) });
  });
});

/** What somebody could do who has the key: digests and sizes as the files are now. */
function signAnew(folder: string, privateKey: KeyObject): void {
  edit(folder, 'manifest.dsse.json', (line) => {
    const { payload } = JSON.parse(line) as { payload: string };
    const statement = JSON.parse(Buffer.from(payload, 'base64').toString()) as {
      subject: { name: string; digest: { sha256: string } }[];
      predicate: { sizes: Record<string, number> };
    };
    for (const item of statement.subject) {
      const bytes = readFileSync(join(folder, item.name));
      item.digest.sha256 = sha256(bytes);
      statement.predicate.sizes[item.name] = bytes.length;
    }
    return sealEnvelope(statement, privateKey);
  });
}

/** Names of members, at any depth; what stands below these is data under names of its own. */
const open = new Set(['counts', 'settings', 'profile', 'facts', 'digests', 'sizes', 'byType', 'acquisition']);
function* membersOf(value: unknown): Iterable<string> {
  if (Array.isArray(value)) for (const item of value) yield* membersOf(item);
  else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value)) {
      yield name;
      if (!open.has(name) || Array.isArray(item)) yield* membersOf(item);
    }
  }
}
