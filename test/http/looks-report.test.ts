/** What was taken out over the API stands in the report, and whoever verifies it finds a changed look: ours, and the verifier made from docs/LEDGER.md alone. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runVerify } from '../../src/cli/verify.ts';
import { sha256 } from '../../src/custody/canonical.ts';
import { sealEnvelope } from '../../src/custody/dsse.ts';
import { submit } from '../../src/pipeline/submit.ts';
import { readExamination } from '../../src/store/examinations.ts';
import { profile } from '../support/laboratory.ts';
import { openService, type Person, type TestService } from '../support/service.ts';
import { hasTool } from '../support/tools.ts';

const root = join(import.meta.dirname, '..', '..');
const names = [
  'report.json',
  'report.html',
  'entries.csv',
  'entries.jsonl',
  'problems.jsonl',
  'ledger.jsonl',
  'leaves.json',
  'signer.pub',
  'manifest.dsse.json',
]; // docs/LEDGER.md
let service: TestService;
let investigator: Person;
let work: string;
let report: string;
let examinationId: string;
const looked: string[] = [];

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'custodia-looks-'));
  report = join(work, 'report');
  service = await openService({ works: true });
  const { database, recorder, queue } = service.installation;
  const agency = await service.agency();
  investigator = await service.person(agency);
  const path = join(work, 'image.raw');
  writeFileSync(path, zstdDecompressSync(readFileSync(join(root, 'fixtures', 'fat-fat16-fragmented', 'image.raw.zst'))));
  const image = { format: 'raw', paths: [path] };
  const submission = { caseReference: 'case 9', exhibit: 'E-9', examiner: 'Exam Iner', image, profile };
  ({ examinationId } = await submit(database, await queue(), recorder, submission));
  await database.query(
    `insert into case_member (case_id, account_id, role) select case_id, $1, 'investigator' from exhibit join examination on exhibit_id = exhibit.id where examination.id = $2`,
    [investigator.id, examinationId],
  );
  while ((await readExamination(database, examinationId))!.examination.concluded_at === null) await sleep(50);
  await download();
}, 60_000);
afterAll(async () => {
  await service.close();
  rmSync(work, { recursive: true, force: true });
});

const ask = (what: string) => service.ask(`/api/v1/examinations/${examinationId}/${what}`, { token: investigator.token });

/** Two files, then the report. */
async function download(): Promise<void> {
  const { items } = (await ask('entries?limit=200')).json;
  const files = items.filter(({ size, sha256: digest }: { size: number; sha256: unknown }) => size > 0 && digest !== null).slice(0, 2);
  for (const { locator } of files) {
    expect((await ask(`entries/${encodeURIComponent(locator)}/content`)).status).toBe(200);
    looked.push(locator);
  }
  mkdirSync(report);
  for (const name of names) {
    const response = await fetch(`${service.url}/api/v1/examinations/${examinationId}/report/${name}`, {
      headers: { authorization: `Bearer ${investigator.token}` },
    });
    expect(response.status).toBe(200);
    writeFileSync(join(report, name), Buffer.from(await response.arrayBuffer()));
  }
}

async function ours(folder: string): Promise<{ status: number; text: string }> {
  let text = '';
  const { signer, version, config } = service.installation;
  const write = (more: string) => (text += more);
  const run = { folder, evidence: [], trust: [signer.keyId], json: false, dataFolder: config.dataFolder, threads: 1, version, write };
  return { status: await runVerify(run), text };
}

const second = (folder: string) =>
  spawnSync('python3', [join(root, 'test', 'custody', 'second-verifier.py'), folder, service.installation.signer.keyId], {
    encoding: 'utf8',
  });

interface Statement {
  subject: { name: string; digest: { sha256: string } }[];
  // biome-ignore lint/suspicious/noExplicitAny: members of signed statements, read by tests only
  predicate: any;
}

const statementOf = (line: string): Statement => JSON.parse(Buffer.from(JSON.parse(line).payload, 'base64').toString());
const ledgerOf = (folder: string) => readFileSync(join(folder, 'ledger.jsonl'), 'utf8').trimEnd().split('\n');
const eventsOf = (folder: string) => ledgerOf(folder).map((line) => statementOf(line).predicate);

it('tells in ledger and custody table who downloaded what', async () => {
  expect(looked).toHaveLength(2);
  const [event, ...others] = eventsOf(report).filter(({ type }) => type === 'accessed');
  expect(others).toEqual([]);
  const { rows } = await service.installation.database.query('select login from account where id = $1', [investigator.id]);
  expect(event).toMatchObject({ actor: { name: rows[0].login, role: 'investigator' }, looks: { count: event.looks.list.length } });
  const downloaded = event.looks.list.filter(({ how }: { how: string }) => how === 'downloaded');
  expect(downloaded.map(({ locator }: { locator: string }) => locator)).toEqual(looked);
  const findings = readFileSync(join(report, 'report.json'), 'utf8');
  expect(findings).toContain(`${event.looks.count} looks from ${event.looks.from} to ${event.looks.to}`);
  expect(readFileSync(join(report, 'report.html'), 'utf8')).toContain(`${event.looks.count} looks from`);
});

it('is verified by ours', async () => {
  const { status, text } = await ours(report);
  expect(text).not.toContain('FAIL');
  expect(status).toBe(0);
});

/** A copy in which the look is another one; `sign` as somebody would who has the key. */
function altered(sign: 'not at all' | 'the files' | 'the event too'): string {
  const folder = join(work, sign.replaceAll(' ', '-'));
  cpSync(report, folder, { recursive: true });
  const { privateKey } = service.installation.signer;
  const lines = ledgerOf(folder).map((line) => {
    const statement = statementOf(line);
    if (statement.predicate.type !== 'accessed') return line;
    statement.predicate.looks.list.find(({ how }: { how: string }) => how === 'downloaded').locator = 'image:/elsewhere';
    if (sign === 'the event too') return sealEnvelope(statement, privateKey);
    return JSON.stringify({ ...JSON.parse(line), payload: Buffer.from(JSON.stringify(statement)).toString('base64') });
  });
  expect(lines).not.toEqual(ledgerOf(folder));
  writeFileSync(join(folder, 'ledger.jsonl'), `${lines.join('\n')}\n`);
  if (sign === 'not at all') return folder;
  const manifest = statementOf(readFileSync(join(folder, 'manifest.dsse.json'), 'utf8'));
  const bytes = readFileSync(join(folder, 'ledger.jsonl'));
  manifest.subject.find(({ name }) => name === 'ledger.jsonl')!.digest.sha256 = sha256(bytes);
  manifest.predicate.sizes['ledger.jsonl'] = bytes.length;
  writeFileSync(join(folder, 'manifest.dsse.json'), sealEnvelope(manifest, privateKey));
  return folder;
}

const forgeries = ['not at all', 'the files', 'the event too'] as const;

it.each(forgeries)('ours finds a changed look, signed anew: %s', async (sign) => {
  const { status, text } = await ours(altered(sign));
  expect([status, text]).toEqual([1, expect.stringMatching(/^FAIL +ledger: /m)]);
});

it.skipIf(!hasTool('python3'))('the second verifier agrees (Python 3, standard library)', () => {
  const { status, stdout, stderr } = second(report);
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  for (const sign of forgeries) expect(second(altered(sign)).status, sign).toBe(1);
});
