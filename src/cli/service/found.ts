/** `list`, `show`, `cat`, `report` at a service. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type Command } from 'commander';
import { ApiError } from '../../client/api-error.ts';
import { type Connection, path, type Query } from '../../client/connection.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { formatBytes, jsonLine, visible } from '../terminal.ts';
import { idOf } from './ask.ts';
import { examinationColumns } from './examinations.ts';
import { positiveNumber } from './option-values.ts';
import { type Out, printDone, printRows, type Row } from './rows.ts';

/** Options of `list`: the parameter of the service, how it is given, what it means. */
const filters = [
  ['name', '--name <pattern>', 'names like this: * ? [a-z]'],
  ['ignoreCase', '--ignore-case', 'upper and lower case of a name are the same'],
  ['words', '--words <words>', 'words within names'],
  ['path', '--path <path>', 'below this path'],
  ['extension', '--extension <extension>', 'with this extension'],
  ['type', '--type <type>', 'file, directory, link, ...'],
  ['mediaType', '--media-type <type>', 'of this type by content'],
  ['digest', '--digest <hex>', 'with this MD5, SHA-1 or SHA-256'],
  ['problem', '--problem <code>', 'with this problem'],
  ['time', '--time <name>', 'which time --from and --to mean, e.g. modified (default: any)'],
  ['from', '--from <time>', 'not before'],
  ['to', '--to <time>', 'not after'],
  ['fact', '--fact <name>', 'a member of the metadata ...'],
  ['value', '--value <value>', '... and what it is'],
  ['sort', '--sort <key>', 'locator, path, name, type, size or modified'],
] as const;

type Filter = (typeof filters)[number][0];

export interface FilterFlags extends Readonly<Partial<Record<Filter, string>>> {
  readonly minSize?: number;
  readonly maxSize?: number;
  readonly deleted?: boolean;
  readonly descending?: boolean;
}

export function withFilters(command: Command): Command {
  for (const [, flags, description] of filters) command.option(flags, `at a service: ${description}`);
  return command
    .option('--min-size <bytes>', 'at a service: not smaller', positiveNumber)
    .option('--max-size <bytes>', 'at a service: not larger', positiveNumber)
    .option('--deleted', 'at a service: what is not allocated any more')
    .option('--descending', 'at a service: the other way round');
}

const queryOf = (flags: FilterFlags): Query => ({
  ...Object.fromEntries(filters.map(([name]) => [name, flags[name]])),
  minSize: flags.minSize,
  maxSize: flags.maxSize,
  allocated: flags.deleted === true ? false : undefined,
  order: flags.descending === true ? 'desc' : undefined,
});

/** Throws CommandError: on this machine everything is listed. */
export function refuseFilters(flags: FilterFlags): void {
  const given = Object.entries(queryOf(flags)).find(([, value]) => value !== undefined);
  if (given === undefined) return;
  throw new CommandError(exitCodes.refused, 'usage', `a filter (${given[0]}) needs a service: name one with --server or CUSTODIA_SERVER`);
}

const pageSize = 1000;

export async function listService(
  connection: Connection,
  id: string | undefined,
  flags: FilterFlags,
  json: boolean,
  out: Out,
): Promise<void> {
  if (id === undefined) {
    refuseFilters(flags);
    await printRows(connection.all('/examinations'), examinationColumns, json, out);
    return;
  }
  const entries = connection.all<Row>(path`/examinations/${idOf(id, 'examination')}/entries`, { ...queryOf(flags), limit: pageSize });
  await printRows(entries, ['locator', ['allocated', deletedOf], 'type', ['size', formatBytes], 'path'], json, out);
}

const deletedOf = (allocated: unknown): string => (Object.values(allocated as object).every(Boolean) ? 'live' : 'deleted');

async function chosen(connection: Connection, id: string | undefined): Promise<string> {
  if (id !== undefined) return idOf(id, 'examination');
  const { items } = await connection.ask<{ items: readonly { id: string }[] }>('GET', '/examinations', { query: { limit: 1 } });
  const newest = items[0];
  if (newest === undefined) throw new CommandError(exitCodes.refused, 'examination.none', 'there is no examination that you may see');
  return newest.id;
}

export async function showEntry(connection: Connection, id: string | undefined, locator: string, json: boolean, out: Out): Promise<void> {
  const found = await entryOrVolume(connection, await chosen(connection, id), locator);
  if (json) out.write(jsonLine(found));
  else out.write(`${visible(JSON.stringify(found, null, 2)).replaceAll('\\u{000a}', '\n')}\n`);
}

async function entryOrVolume(connection: Connection, examination: string, locator: string): Promise<Row> {
  try {
    const { record, problems } = await connection.ask<{ record: Row; problems: unknown }>(
      'GET',
      path`/examinations/${examination}/entries/${locator}`,
    );
    return { ...record, problems };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    for await (const volume of connection.all<Row>(path`/examinations/${examination}/volumes`))
      if (volume.locator === locator) return volume;
    throw error;
  }
}

export async function catEntry(
  connection: Connection,
  id: string | undefined,
  locator: string,
  out: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<void> {
  const where = path`/examinations/${await chosen(connection, id)}/entries/${locator}/content`;
  await receive(connection, where, locator, signal, async (chunk) => {
    if (!out.write(chunk)) await once(out, 'drain', { signal });
  });
}

/** What arrives is digested and compared with what the service says it is. */
async function receive(
  connection: Connection,
  where: string,
  what: string,
  signal: AbortSignal,
  write: (chunk: Uint8Array) => Promise<unknown>,
): Promise<void> {
  const response = await connection.open('GET', where, { signal, headers: { accept: '*/*' } });
  const hash = createHash('sha256');
  try {
    for await (const chunk of response.body ?? []) {
      hash.update(chunk);
      await write(chunk);
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof TypeError)) throw error;
    throw new ApiError(0, 'client.cut-off', `${what}: the service ended the answer before all of it had come`, { cause: error });
  }
  const expected = /^"([0-9a-f]{64})"$/.exec(response.headers.get('etag') ?? '')?.[1];
  const found = hash.digest('hex');
  if (expected !== undefined && found !== expected)
    throw new ApiError(0, 'client.answer', `${what}: SHA-256 of what arrived is ${found}, expected ${expected}`);
}

/** The folder appears under its name when all of it has arrived. */
export async function fetchReport(
  connection: Connection,
  id: string | undefined,
  folder: string,
  json: boolean,
  out: Out,
  signal: AbortSignal,
): Promise<void> {
  const examination = await chosen(connection, id);
  const target = resolve(folder);
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.partial`);
  await mkdir(draft, { recursive: true, mode: 0o700 });
  try {
    const { manifestFile, reportFiles } = await import('../../reports/findings.ts');
    const files = [...reportFiles, manifestFile];
    for (const name of files) await fetchFile(connection, path`/examinations/${examination}/report/${name}`, join(draft, name), signal);
    await rename(draft, target);
    const done = `report of examination ${examination}: ${folder}\n  open   ${join(folder, 'report.html')}\n  verify custodia verify ${folder}`;
    if (json) printDone('', { examinationId: examination, folder: target, files }, true, out);
    else out.write(`${done.split('\n').map(visible).join('\n')}\n`);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function fetchFile(connection: Connection, where: string, file: string, signal: AbortSignal): Promise<void> {
  const written = await open(file, 'wx', 0o600);
  try {
    await receive(connection, where, basename(file), signal, (chunk) => written.writeFile(chunk));
    await written.sync();
  } finally {
    await written.close();
  }
}
