/** Bulk in and out of PostgreSQL: COPY. */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pool, type PoolClient } from 'pg';
import { from, to } from 'pg-copy-streams';

/** Columns of the rows that threads make (src/examine/entry-record.ts, src/examine/problems.ts), in order, after those of `rowPrefix`. */
const columnsOf = {
  entry: ['locator', 'path', 'type', 'size', 'allocated', 'sha256', 'media_type', 'record'],
  problem: ['locator', 'code', 'message', 'at', 'hides_evidence'],
} as const;

/** Rows in COPY text form, in the caller's transaction. However many there are: the limit of other statements does not hold for them. */
export async function copyRows(
  client: PoolClient,
  table: 'entry' | 'problem',
  rows: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const columns = ['examination_id', 'unit_id', ...columnsOf[table]].join(', ');
  await client.query('set local statement_timeout = 0');
  await pipeline(Readable.from(rows, { objectMode: false }), client.query(from(`copy ${table} (${columns}) from stdin`)));
  await client.query('set local statement_timeout to default');
}

/** A quote and a delimiter that no canonical JSON can hold: so CSV form gives every record as one plain line. */
const plainLines = String.raw`(format csv, quote e'\x01', delimiter e'\x02')`;

/** The records of all entries of an examination, one canonical JSON a line, ordered by the bytes of their locators. */
export async function exportRecords(pool: Pool, examinationId: string, path: string, onBytes: (count: number) => void): Promise<void> {
  await exportLines(
    pool,
    `select record from entry where examination_id = '${uuid(examinationId)}' order by locator collate "C"`,
    path,
    onBytes,
  );
}

/** All problems of an examination, one JSON object a line, in an order that does not depend on who found them when. */
export async function exportProblems(pool: Pool, examinationId: string, path: string): Promise<void> {
  const object = `json_strip_nulls(json_build_object('at', at, 'code', code, 'hidesEvidence', hides_evidence, 'locator', locator, 'message', message))`;
  const query = `select ${object} from problem where examination_id = '${uuid(examinationId)}'
    order by locator collate "C", code collate "C", at nulls first, message collate "C"`;
  await exportLines(pool, query, path, () => undefined);
}

async function exportLines(pool: Pool, query: string, path: string, onBytes: (count: number) => void): Promise<void> {
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    await client.query('set statement_timeout = 0');
    const rows = client.query(to(`copy (${query}) to stdout ${plainLines}`));
    rows.on('data', (chunk: Buffer) => onBytes(chunk.length));
    await pipeline(rows, createWriteStream(path, { flags: 'w', mode: 0o600, flush: true }));
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    client.release(failure ?? true); // its statement_timeout was changed: not to be used again
  }
}

/** COPY takes no parameters: the id is checked to be nothing but an id. */
function uuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) throw new TypeError(`'${text}' is no id of an examination`);
  return text;
}
