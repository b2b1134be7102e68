/** Makes an examination of many entries by COPY, in the form that threads give: the same entries on every machine. */
import { type Pool } from 'pg';
import { type EntryRecord, entryRow } from '../../src/examine/entry-record.ts';
import { copyRows } from '../../src/store/copy.ts';
import { transaction } from '../../src/store/transaction.ts';
import { numbers } from '../content.ts';

const words = [
  ...['report', 'holiday', 'invoice', 'meeting', 'backup', 'draft', 'scan', 'photo', 'contract', 'budget', 'letter', 'notes'],
  ...[
    'index',
    'cache',
    'config',
    'readme',
    'module',
    'temp',
    'log',
    'data',
    'archive',
    'thumb',
    'setup',
    'driver',
    'font',
    'Übersicht',
    'отчёт',
    '写真',
  ],
];
const kinds: readonly (readonly [extension: string, mediaType: string, share: number])[] = [
  ['txt', 'text/plain', 20],
  ['jpg', 'image/jpeg', 15],
  ['png', 'image/png', 12],
  ['html', 'text/html', 12],
  ['js', 'text/javascript', 12],
  ['dll', 'application/vnd.microsoft.portable-executable', 10],
  ['pdf', 'application/pdf', 6],
  ['docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 5],
  ['zip', 'application/zip', 4],
  ['sqlite', 'application/vnd.sqlite3', 2],
  ['evtx', 'application/x-ms-evtx', 1],
  ['bin', '', 1],
];
const chosen = kinds.flatMap((kind) => Array.from({ length: kind[2] }, () => kind));
const cameras = ['Canon', 'NIKON', 'Apple', 'Panasonic', 'SONY'];

/** Deterministic in `index`: numbers from a generator that is asked in order. */
function* records(count: number): Generator<EntryRecord> {
  const next = numbers(2026);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const hex = (digits: number) =>
    Array.from({ length: digits / 8 }, () =>
      Math.floor(next() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    ).join('');
  const time = () => `${new Date(1.2e12 + next() * 5e11).toISOString().slice(0, -1)}${String(Math.floor(next() * 1e6)).padStart(6, '0')}Z`;
  for (let index = 0; index < count; index++) {
    const [extension, mediaType] = pick(chosen);
    const folder = `home/user${Math.floor(next() ** 2 * 50)}/${pick(words)}/${pick(words)}${Math.floor(next() * 40)}`;
    const name = `${pick(words)}${next() < 0.5 ? '_' : ''}${next() < 0.5 ? pick(words).replace(/^./, (letter) => letter.toUpperCase()) : ''}${index}.${extension}`;
    const locator = `image:/gpt:2/ext:${index + 12}`;
    const live = next() > 0.04;
    const problems = next() < 0.01 ? [pick(['read.bad-sector', 'zip.entry', 'exif.damaged'])] : [];
    yield {
      locator,
      path: `${folder}/${name}`,
      name,
      type: next() < 0.08 ? 'directory' : 'file',
      size: Math.floor(2 ** (next() * 28)),
      allocated: { name: live, metadata: live },
      times: ['modified', 'accessed', 'changed', 'created'].map((kind) => ({ kind, time: time(), zone: 'utc', resolutionNs: 1 })),
      mode: 0o644,
      uid: 1000,
      gid: 1000,
      linkCount: 1,
      ...(extension === 'jpg' ? { facts: { 'exif.Make': pick(cameras), 'exif.DateTimeOriginal': '2024:02:29 12:34:50' } } : {}),
      digests: { md5: hex(32), sha1: hex(40), sha256: hex(64) },
      ...(mediaType === '' ? {} : { mediaType }),
      ...(problems.length > 0 ? { problems } : {}),
    };
  }
}

function* batches(prefix: string, count: number): Generator<Uint8Array> {
  let rows: string[] = [];
  for (const record of records(count)) {
    rows.push(`${prefix}${entryRow(record)}\n`);
    if (rows.length < 4096) continue;
    yield new TextEncoder().encode(rows.join(''));
    rows = [];
  }
  yield new TextEncoder().encode(rows.join(''));
}

/** Gives the milliseconds that COPY took, with the making of the rows; `prefix` are the ids of examination and unit in COPY form. */
export async function copyEntries(pool: Pool, prefix: string, count: number): Promise<number> {
  const begun = performance.now();
  await transaction(pool, (client) => copyRows(client, 'entry', batches(prefix, count)));
  return performance.now() - begun;
}
