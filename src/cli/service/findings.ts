/** `timeline`, `problems`, `volumes`, `ledger`, `uploads`, `evidence-roots`: what was found, what happened to an exhibit, and where evidence may lie. */
import { type Command } from 'commander';
import { path } from '../../client/connection.ts';
import { formatBytes, jsonLine } from '../terminal.ts';
import { asks, caseId, findNamed, idOf, type ServiceFlags } from './ask.ts';
import { printRows, type Row } from './rows.ts';

const pageSize = 1000;
const ofExamination = (id: string, what: string) => `${path`/examinations/${idOf(id, 'examination')}`}/${what}`;

export function addFindings(program: Command): void {
  addTimeline(program);
  const problems = program
    .command('problems <examination>')
    .description('what could not be examined, or not surely')
    .option('--code <code>', 'of this kind')
    .option('--locator <locator>', 'of what begins like this')
    .option('--hiding', 'only what hides evidence')
    .option('--summary', 'counted by code');
  type ProblemFlags = ServiceFlags & { code?: string; locator?: string; hiding?: boolean; summary?: boolean };
  asks<ProblemFlags>(problems, async ({ connection, args, flags, json, out }) => {
    if (flags.summary === true) {
      const { codes } = await connection.ask<{ codes: readonly Row[] }>('GET', ofExamination(args[0]!, 'problems/summary'));
      return printRows(codes, ['code', 'count', 'hiding'], json, out);
    }
    const { code, locator, hiding: hidesEvidence } = flags;
    const found = connection.all<Row>(ofExamination(args[0]!, 'problems'), { code, locator, hidesEvidence, limit: pageSize });
    return printRows(found, ['locator', 'code', 'hidesEvidence', 'message'], json, out);
  });
  const volumes = program.command('volumes <examination>').description('partitions, tables and gaps of the medium');
  asks(volumes, ({ connection, args, json, out }) =>
    printRows(connection.all<Row>(ofExamination(args[0]!, 'volumes')), ['locator', 'offset', ['length', formatBytes], 'label'], json, out),
  );
}

function addTimeline(program: Command): void {
  const timeline = program
    .command('timeline <examination>')
    .description('all times of all entries, in order; a time of an unknown zone says so and is never moved')
    .option('--from <time>', 'not before')
    .option('--to <time>', 'before')
    .option('--kinds <names>', 'e.g. modified,created')
    .option('--path <path>', 'below this path')
    .option('--deleted', 'what is not allocated any more');
  type Flags = ServiceFlags & { from?: string; to?: string; kinds?: string; path?: string; deleted?: boolean };
  asks<Flags>(timeline, ({ connection, args, flags, json, out }) => {
    const { from, to, kinds, path: below, deleted } = flags;
    const query = { from, to, kinds, path: below, allocated: deleted === true ? false : undefined, limit: pageSize };
    return printRows(connection.all(ofExamination(args[0]!, 'timeline'), query), ['time', 'zone', 'kind', 'allocated', 'path'], json, out);
  });
}

/** An exhibit is named by its case and label; both by reference and label, or by ids. */
export function addCustody(program: Command): void {
  const exhibitId = async (connection: Parameters<typeof caseId>[0], reference: string, label: string) =>
    findNamed(connection, path`/cases/${await caseId(connection, reference)}/exhibits`, 'exhibit', 'label', label);
  const ledger = program
    .command('ledger <case> <exhibit>')
    .description('what happened to an exhibit: reference and label, or ids')
    .option('--lines', 'the signed lines themselves, as a report holds them (ledger.jsonl)');
  asks<ServiceFlags & { lines?: boolean }>(ledger, async ({ connection, args, flags, json, out }) => {
    const events = connection.all<LedgerLine>(path`/exhibits/${await exhibitId(connection, args[0]!, args[1]!)}/ledger`);
    if (flags.lines === true) for await (const { envelope } of events) out.write(`${envelope}\n`);
    else await printRows(told(events), ['seq', 'occurredAt', 'type', ['actor', ({ name }: { name: string }) => name], 'digest'], json, out);
  });
  const uploads = program.command('uploads <case> <exhibit>').description('what was sent, and what became of it');
  asks(uploads, async ({ connection, args, json, out }) => {
    const list = path`/exhibits/${await exhibitId(connection, args[0]!, args[1]!)}/uploads`;
    await printRows(connection.all<Row>(list), ['id', 'name', 'origin', 'status', 'received', 'size', 'sha256', 'problem'], json, out);
  });
  const places = program
    .command('evidence-roots')
    .description('evidence roots and buckets that the service knows: for submit --in-place and --s3');
  asks(places, async ({ connection, json, out }) => {
    const { roots, sources } = await connection.ask<Record<'roots' | 'sources', readonly { name: string }[]>>('GET', '/evidence-roots');
    const rows = [...roots.map(({ name }) => ({ kind: 'root', name })), ...sources.map(({ name }) => ({ kind: 'source', name }))];
    if (json) for (const row of rows) out.write(jsonLine(row));
    else await printRows(rows, ['kind', 'name'], false, out);
  });
}

interface LedgerLine {
  readonly seq: number;
  readonly envelope: string;
  readonly digest: string;
}

/** As the service shows it; what proves it stands in the lines and in reports, for `verify`. */
async function* told(events: AsyncIterable<LedgerLine>): AsyncGenerator<Row> {
  for await (const { seq, envelope, digest } of events) {
    const { payload } = JSON.parse(envelope) as { payload: string };
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as { predicate: Row };
    yield { ...predicate, seq, digest };
  }
}
