/** What one changed byte, line, file or signature does to a report. */
import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/custody/canonical.ts';
import { type ChainHead, sealNext } from '../../src/custody/chain.ts';
import { keyIdOf, parseEnvelope, sealEnvelope } from '../../src/custody/dsse.ts';
import { type ChainedEvent } from '../../src/custody/event.ts';
import { manifestFile, reportFiles } from '../../src/reports/findings.ts';
import { fixturePath } from '../support/fixture.ts';
import { hasTool } from '../support/tools.ts';
import { findingsOf, type MadeReport, makeReport, randomFrom, resign, verify, writeFindings } from './made-report.ts';

let report: MadeReport;
let folder: string;
const files = [...reportFiles, manifestFile];

beforeAll(async () => {
  report = await makeReport(fixturePath('disk-mbr-e01'));
  folder = report.copy();
});
afterAll(() => report.close());

/** Runs `work` on a copy of its own. */
async function onCopy<T>(work: (copy: string) => Promise<T> | T): Promise<T> {
  const copy = report.copy();
  try {
    return await work(copy);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

it('verifies as it was made', async () => {
  const { status, checks } = await verify(report, report.folder);
  expect(status).toBe(0);
  const found = Object.fromEntries(checks.map(({ what, verdict }) => [what, verdict]));
  const checked = [
    'signature',
    'trust',
    'files',
    'report',
    'consistency',
    'page',
    'catalogue',
    'problems',
    'leaves',
    'ledger',
    'ledger and report',
  ];
  expect(found).toEqual({ ...Object.fromEntries(checked.map((what) => [what, 'ok'])), evidence: 'unchecked' });
});

/** Classes of bytes, so that each of them is met in each file that has it. */
const classes: Readonly<Record<string, RegExp>> = {
  'opening brace': /\{/,
  'closing brace': /\}/,
  'opening bracket': /\[/,
  'closing bracket': /\]/,
  colon: /:/,
  comma: /,/,
  quote: /"/,
  backslash: /\\/,
  digit: /[0-9]/,
  'hex digit': /[a-f]/,
  'other letter': /[g-zG-Z]/,
  'base64 sign': /[+/=]/,
  'white space': /[ \t]/,
  'line end': /[\r\n]/,
  'angle bracket': /[<>]/,
  'other sign': /[.;#()_-]/,
};
const perClass = 3;
const anywhere = 8;

function places(bytes: Buffer, random: (below: number) => number): Set<number> {
  const text = bytes.toString('latin1');
  const chosen = new Set([0, bytes.length - 1, Math.floor(bytes.length / 2)]);
  for (const pattern of Object.values(classes)) {
    const found = [...text.matchAll(new RegExp(pattern, 'g'))].map(({ index }) => index);
    for (let count = 0; count < Math.min(perClass, found.length); count++) chosen.add(found[random(found.length)]!);
  }
  for (let count = 0; count < anywhere; count++) chosen.add(random(bytes.length));
  return chosen;
}

/** Another byte: of the same class where it is a digit, a hex digit or a letter, else with one bit changed. */
function otherByte(byte: number, random: (below: number) => number): number {
  const character = String.fromCharCode(byte);
  for (const alphabet of ['0123456789', 'abcdef', 'ghijklmnopqrstuvwxyz']) {
    const at = alphabet.indexOf(character);
    if (at >= 0) return alphabet.charCodeAt((at + 1 + random(alphabet.length - 1)) % alphabet.length);
  }
  return byte ^ (1 << random(8));
}

describe('one changed byte', () => {
  it('is found wherever it is: first, last, middle, in each class of bytes, anywhere', async () => {
    const random = randomFrom(7);
    let flips = 0;
    for (const name of files) {
      const path = join(folder, name);
      const original = readFileSync(path);
      for (const at of places(original, random)) {
        const changed = Buffer.from(original);
        changed[at] = otherByte(original[at]!, random);
        writeFileSync(path, changed);
        const { status, failed } = await verify(report, folder);
        const where = `${name}, byte ${at}: ${original[at]} to ${changed[at]}`;
        expect(status, where).toBe(1);
        const speaks = name === manifestFile ? ['signature'] : name === 'signer.pub' ? ['key', 'signature', 'files'] : ['files'];
        expect(
          speaks.some((what) => failed.includes(what)),
          `${where}: ${failed.join()}`,
        ).toBe(true);
        flips++;
      }
      writeFileSync(path, original);
    }
    expect((await verify(report, folder)).status).toBe(0);
    expect(flips).toBeGreaterThan(250);
  }, 300_000);

  it.each([
    ['cut off', (bytes: Buffer) => bytes.subarray(0, -1)],
    ['added', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('\n')])],
    ['put in front', (bytes: Buffer) => Buffer.concat([Buffer.from('\ufeff'), bytes])],
    ['with other line ends', (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1')],
    ['emptied', () => Buffer.alloc(0)],
  ])('is found when it is %s', async (_what, change) => {
    for (const name of files) {
      const original = readFileSync(join(folder, name));
      const changed = change(original);
      if (changed.equals(original)) continue;
      writeFileSync(join(folder, name), changed);
      expect((await verify(report, folder)).status, name).toBe(1);
      writeFileSync(join(folder, name), original);
    }
  });
});

describe('lines', () => {
  const linesOf = (name: string) => readFileSync(join(report.folder, name), 'utf8').trimEnd().split('\n');
  const speaker: Readonly<Record<string, string>> = {
    'ledger.jsonl': 'ledger',
    'entries.jsonl': 'catalogue',
    'problems.jsonl': 'problems',
  };
  const foreign = () =>
    sealEnvelope(
      { _type: 'https://in-toto.io/Statement/v1', predicateType: 'urn:custodia:custody-event:v1' },
      generateKeyPairSync('ed25519').privateKey,
    );

  const changes: Readonly<Record<string, (lines: string[], at: number) => string[]>> = {
    dropped: (lines, at) => lines.toSpliced(at, 1),
    doubled: (lines, at) => lines.toSpliced(at, 0, lines[at]!),
    swapped: (lines, at) => lines.toSpliced(at, 2, lines[at + 1]!, lines[at]!),
    'taken from elsewhere': (lines, at) => lines.toSpliced(at, 0, lines[(at + 3) % lines.length]!),
    'signed by a stranger and inserted': (lines, at) => lines.toSpliced(at, 0, foreign()),
    'cut off from here': (lines, at) => lines.slice(0, at),
  };

  it.each(Object.keys(speaker).flatMap((name) => Object.keys(changes).map((what) => [name, what] as const)))(
    'of %s that are %s are found, even when the manifest is signed anew',
    { timeout: 300_000 },
    async (name, what) => {
      const lines = linesOf(name);
      expect(lines.length).toBeGreaterThan(4);
      const chosen = [0, Math.floor(lines.length / 2), lines.length - 2];
      await onCopy(async (copy) => {
        for (const at of chosen) {
          const changed = changes[what]!([...lines], at);
          writeFileSync(join(copy, name), changed.map((line) => `${line}\n`).join(''));
          copyFileSync(join(report.folder, manifestFile), join(copy, manifestFile));
          expect((await verify(report, copy)).failed, `line ${at}`).toContain('files');
          resign(copy, report.signer);
          const { status, failed } = await verify(report, copy);
          expect([status, failed.includes(speaker[name]!)], `line ${at}: ${failed.join()}`).toEqual([1, true]);
        }
      });
    },
  );

  it('cut off from the end of the ledger are found even when report, page and manifest are made to fit', async () => {
    await onCopy(async (copy) => {
      const lines = linesOf('ledger.jsonl').slice(0, -1);
      writeFileSync(join(copy, 'ledger.jsonl'), lines.map((line) => `${line}\n`).join(''));
      const findings = findingsOf(copy);
      const table = findings.ledger.table.slice(0, -1);
      const head = sha256(lines.at(-1)!);
      writeFindings(copy, { ...findings, ledger: { ...findings.ledger, events: lines.length, head, table } });
      resign(copy, report.signer);
      const { status, failed, text } = await verify(report, copy);
      expect([status, failed], text).toEqual([1, ['ledger']]);
      expect(text).toContain('ledger.conclusion');
    });
  });
});

describe('files', () => {
  it.each(files.map((name) => [name]))('that are missing make it incomplete: %s', async (name) => {
    await onCopy(async (copy) => {
      rmSync(join(copy, name));
      const { status, failed, text } = await verify(report, copy);
      expect([status, failed]).toEqual([2, []]);
      expect(text).toContain(`${name} is not there`);
    });
  });

  it('all of them: an empty folder is incomplete', async () => {
    await onCopy(async (copy) => {
      for (const name of files) rmSync(join(copy, name));
      expect(await verify(report, copy)).toMatchObject({ status: 2, failed: [] });
    });
  });

  it.each([
    ['a file', (path: string) => writeFileSync(path, 'x')],
    ['a folder', (path: string) => mkdirSync(path)],
    ['a link', (path: string) => symlinkSync('/etc/passwd', path)],
  ])('that do not belong to it are found: %s', async (_what, add) => {
    await onCopy(async (copy) => {
      add(join(copy, 'report.json.bak'));
      expect(await verify(report, copy)).toMatchObject({ status: 1, failed: ['files'] });
    });
  });

  it.each(files.map((name) => [name]))('that are links are not followed, even to their own bytes: %s', async (name) => {
    await onCopy(async (copy) => {
      rmSync(join(copy, name));
      symlinkSync(join(report.folder, name), join(copy, name));
      expect(await verify(report, copy)).toMatchObject({ status: 2, failed: [] });
    });
  });

  it.skipIf(!hasTool('mkfifo')).each(files.map((name) => [name]))('that are pipes are not waited for: %s', async (name) => {
    await onCopy(async (copy) => {
      rmSync(join(copy, name));
      execFileSync('mkfifo', [join(copy, name)]);
      expect((await verify(report, copy)).status).toBe(2);
    });
  });

  it.each(files.map((name) => [name]))('that are folders: %s', async (name) => {
    await onCopy(async (copy) => {
      rmSync(join(copy, name));
      mkdirSync(join(copy, name));
      expect((await verify(report, copy)).status).toBe(2);
    });
  });

  it.each([['report.json'], ['ledger.jsonl'], ['leaves.json'], [manifestFile]])(
    'that claim 300 MB are refused before they fill the memory: %s',
    async (name) => {
      await onCopy(async (copy) => {
        truncateSync(join(copy, name), 300_000_000);
        const before = process.memoryUsage().rss;
        expect((await verify(report, copy)).status).toBe(1);
        expect(process.memoryUsage().rss - before).toBeLessThan(400_000_000);
      });
    },
  );

  it('that have changed places are found', async () => {
    await onCopy(async (copy) => {
      renameSync(join(copy, 'entries.jsonl'), join(copy, 'tmp'));
      renameSync(join(copy, 'problems.jsonl'), join(copy, 'entries.jsonl'));
      renameSync(join(copy, 'tmp'), join(copy, 'problems.jsonl'));
      expect((await verify(report, copy)).status).toBe(1);
    });
  });
});

/** Every event signed anew in a chain of its own; the digest of the last. */
function resignLedger(copy: string, privateKey: KeyObject): string {
  const path = join(copy, 'ledger.jsonl');
  let head: ChainHead = { seq: -1, digest: '' };
  const lines = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { predicate } = JSON.parse(Buffer.from(parseEnvelope(line).payload, 'base64').toString()) as { predicate: ChainedEvent };
      const sealed = sealNext(head, predicate, privateKey);
      head = { seq: head.seq + 1, digest: sealed.digest };
      return `${sealed.envelope}\n`;
    });
  writeFileSync(path, lines.join(''));
  return head.digest;
}

describe('the key', () => {
  const stranger = () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    return { privateKey, pem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
  };

  it('that nobody trusts leaves the report untrusted, and only that', async () => {
    const { status, checks, failed } = await verify(report, report.folder, { trust: [`sha256:${'0'.repeat(64)}`] });
    expect([status, failed]).toEqual([2, []]);
    expect(checks.filter(({ verdict }) => verdict === 'incomplete').map(({ what }) => what)).toEqual(['trust']);
  });

  it('given as a file is enough', async () => {
    expect((await verify(report, report.folder, { trust: [join(report.folder, 'signer.pub')] })).status).toBe(0);
  });

  it('of a stranger over a changed report: the ledger is not his', async () => {
    await onCopy(async (copy) => {
      const { privateKey, pem } = stranger();
      writeFindings(copy, { ...findingsOf(copy), examiner: 'Some Body' });
      writeFileSync(join(copy, 'signer.pub'), pem);
      resign(copy, { privateKey });
      const { status, checks, failed } = await verify(report, copy);
      expect(status).toBe(1);
      expect(failed).toContain('ledger');
      expect(checks.find(({ what }) => what === 'trust')!.verdict).toBe('incomplete');
    });
  });

  it('of a stranger under everything, ledger included, makes a report that holds and that nobody trusts', async () => {
    await onCopy(async (copy) => {
      const { privateKey, pem } = stranger();
      const head = resignLedger(copy, privateKey);
      const findings = findingsOf(copy);
      writeFileSync(join(copy, 'signer.pub'), pem);
      writeFindings(copy, { ...findings, signer: keyIdOf(createPublicKey(privateKey)), ledger: { ...findings.ledger, head } });
      resign(copy, { privateKey });
      const { status, failed, checks } = await verify(report, copy);
      expect([status, failed]).toEqual([2, []]);
      expect(checks.filter(({ verdict }) => verdict === 'incomplete').map(({ what }) => what)).toEqual(['trust']);
    });
  });

  it.each([
    [
      'of another kind',
      () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ],
    ['that is a private one', () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()],
    ['of nothing', () => 'x'],
  ])('file with a key %s is refused', async (_what, pem) => {
    await onCopy(async (copy) => {
      writeFileSync(join(copy, 'signer.pub'), pem());
      expect((await verify(report, copy)).status).toBe(1);
    });
  });
});
