/** Runs the examination of one content as a thread would, and gives back the rows as a database would read them. */
import { MessageChannel } from 'node:worker_threads';
import { memorySource } from '../../src/bytes/source.ts';
import { Budget, defaultLimits, type Limits } from '../../src/evidence/limits.ts';
import { type Batch } from '../../src/evidence/task.ts';
import { prepareDigests } from '../../src/examine/digests.ts';
import { type EntryRecord } from '../../src/examine/entry-record.ts';
import { examineContent } from '../../src/examine/examine-files.ts';
import { Outlet } from '../../src/examine/outlet.ts';
import { LocatedProblems } from '../../src/examine/problems.ts';

/** As the database has them (src/store/migrations/0001-record.ts). */
const entryColumns = ['locator', 'path', 'type', 'size', 'allocated', 'sha256', 'media_type', 'record'];
const problemColumns = ['locator', 'code', 'message', 'at', 'hides_evidence'];

export const locatorOf = (name: string) => `image:/ext:12/${name}`;

export interface Row {
  readonly columns: Readonly<Record<string, string | null>>;
  readonly record: EntryRecord;
}

export interface FoundProblem {
  readonly locator: string;
  readonly code: string;
  readonly message: string;
  readonly hidesEvidence: boolean;
}

/** COPY text format, read back after the PostgreSQL manual (COPY, "Text Format"). */
export function readCopy(rows: Uint8Array, names: readonly string[]): Record<string, string | null>[] {
  const lines = new TextDecoder('utf-8', { fatal: true }).decode(rows).split('\n').slice(0, -1);
  const plain = { t: '\t', n: '\n', r: '\r', '\\': '\\' } as Record<string, string>;
  const value = (text: string) => (text === '\\N' ? null : text.replace(/\\(.)/g, (_, sign: string) => plain[sign] ?? sign));
  return lines.map((line) => Object.fromEntries(line.split('\t').map((text, index) => [names[index] ?? `column ${index}`, value(text)])));
}

/** Work with an outlet whose other side answers every batch and keeps it. */
export async function withOutlet(work: (outlet: Outlet) => Promise<void>): Promise<Batch[]> {
  const { port1, port2 } = new MessageChannel();
  const batches: Batch[] = [];
  port2.on('message', (batch: Batch) => {
    batches.push(batch);
    if (batch.kind !== 'progress') port2.postMessage(null);
  });
  const closed = new Promise((resolve) => port2.once('close', resolve));
  try {
    await work(new Outlet(port1));
  } finally {
    port1.close();
    await closed;
  }
  return batches;
}

const rowsOf = (batches: readonly Batch[], table: string, names: readonly string[]) =>
  batches.flatMap((batch) => (batch.kind === 'rows' && batch.table === table ? readCopy(batch.rows, names) : []));

export const problemsIn = (batches: readonly Batch[]): FoundProblem[] =>
  rowsOf(batches, 'problem', problemColumns).map((columns) => ({
    locator: columns.locator!,
    code: columns.code!,
    message: columns.message!,
    hidesEvidence: columns.hides_evidence === 't',
  }));

export interface Examined {
  readonly rows: readonly Row[];
  readonly problems: readonly FoundProblem[];
  readonly codes: readonly string[];
  readonly read: number;
  row(path: string): Row;
}

interface Options {
  readonly limits?: Partial<Limits>;
  readonly digests?: readonly string[];
}

export async function examined(name: string, bytes: Uint8Array, { limits, digests = ['sha256'] }: Options = {}): Promise<Examined> {
  await prepareDigests(digests);
  const counts = { entries: 0, files: 0, bytes: 0 };
  const profile = { digests, limits: { ...defaultLimits, ...limits } };
  const locator = locatorOf(name);
  const record: EntryRecord = {
    locator,
    path: name,
    name,
    type: 'file',
    size: bytes.length,
    allocated: { name: true, metadata: true },
    times: [],
  };
  const batches = await withOutlet(async (outlet) => {
    const problems = new LocatedProblems(
      profile.limits.problemsPerCode,
      (problem) => outlet.addProblem(problem),
      () => locator,
    );
    await examineContent(record, memorySource(bytes), new Budget(profile.limits), { profile, outlet, problems, counts });
    problems.close();
    await outlet.flush(true);
  });
  const rows = rowsOf(batches, 'entry', entryColumns).map((columns) => ({ columns, record: JSON.parse(columns.record!) as EntryRecord }));
  const problems = problemsIn(batches);
  const codes = [...new Set(problems.map(({ code }) => code))].sort();
  const row = (path: string) => {
    const found = rows.find(({ record }) => record.path === path);
    if (found === undefined) throw new Error(`no row for ${path}; there are ${rows.map(({ record }) => record.path).join(', ')}`);
    return found;
  };
  return { rows, problems, codes, read: counts.bytes, row };
}
