/** `list`, `show`, `cat`: what was found in an examination. */

import { type VolumeReference } from '../evidence/task.ts';
import { type Installation } from '../installation.ts';
import { listEntries, problemsAt, readEntry, readVolumes } from '../store/catalogue.ts';
import { listExaminations, readExamination } from '../store/examinations.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { readerGone } from './run.ts';
import { formatBytes, jsonLine, visible } from './terminal.ts';

export interface Output {
  write(text: string | Uint8Array): unknown;
}

const pageSize = 1000;

/** All examinations, newest first. */
export async function listAll({ database }: Installation, json: boolean, out: Output): Promise<void> {
  for (const found of await listExaminations(database, pageSize)) {
    const { id, status, created, image } = found;
    if (json) out.write(jsonLine(found));
    else
      out.write(
        `${id}  ${created.toISOString()}  ${status.padEnd(16)}  ${visible(found.case)} / ${visible(found.exhibit)}  ${visible(image.paths[0] ?? '')}\n`,
      );
  }
}

/** The entries of one examination, in order of their locators. */
export async function listFound({ database }: Installation, examinationId: string, json: boolean, out: Output): Promise<void> {
  let after: string | null = null;
  while (!readerGone.aborted) {
    const page = await listEntries(database, examinationId, after, pageSize);
    for (const entry of page) {
      const { locator, path, type, size, allocated } = entry;
      if (json) out.write(jsonLine(entry));
      else out.write(`${visible(locator)}\t${allocated ? ' ' : 'deleted'}\t${type}\t${formatBytes(size)}\t${visible(path)}\n`);
    }
    after = page.at(-1)?.locator ?? null;
    if (page.length < pageSize) return;
  }
}

/** The examination with this id, or the newest one. */
export async function chooseExamination({ database }: Installation, wanted: string | undefined): Promise<string> {
  if (wanted === undefined) {
    const [newest] = await listExaminations(database, 1);
    if (newest === undefined) throw new CommandError(exitCodes.refused, 'examination.none', 'there is no examination yet');
    return newest.id;
  }
  const known = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(wanted) ? await readExamination(database, wanted) : null;
  if (known === null)
    throw new CommandError(exitCodes.refused, 'examination.not-found', `examination ${wanted}: not found; 'custodia list' shows all`);
  return wanted;
}

/** A report is written of what has come to its end. */
export async function refuseOpenExamination({ database }: Installation, examinationId: string): Promise<void> {
  const status = (await readExamination(database, examinationId))?.examination.status;
  if (status === 'complete' || status === 'integrity-failed') return;
  const text = `examination ${examinationId}: its status is '${status}', a report is written when it has concluded`;
  throw new CommandError(exitCodes.refused, 'examination.open', text);
}

export async function show(installation: Installation, examinationId: string, locator: string, json: boolean, out: Output): Promise<void> {
  const record = await readEntry(installation.database, examinationId, locator);
  const volume = (await readVolumes(installation.database, examinationId)).find((found) => found.locator === locator);
  if (record === null && volume === undefined) throw notFound(locator);
  const problems = await problemsAt(installation.database, examinationId, locator);
  const shown = { ...(record === null ? volume : (JSON.parse(record) as object)), problems };
  await installation.recorder.recordAccess(installation.database, examinationId, 'show', locator);
  if (json) out.write(jsonLine(shown));
  else out.write(`${visible(JSON.stringify(shown, null, 2)).replaceAll('\\u{000a}', '\n')}\n`);
}

/** Writes the content at a locator to `out`, as it is on the image; `aside` hears what problems it has. */
export async function cat(
  installation: Installation,
  examinationId: string,
  locator: string,
  out: Output,
  signal: AbortSignal,
  aside: (line: string) => unknown,
): Promise<void> {
  const { database, threads, recorder } = installation;
  const found = await readExamination(database, examinationId);
  if (found === null) throw new CommandError(exitCodes.refused, 'examination.not-found', `examination ${examinationId}: not found`);
  const volumes = await readVolumes(database, examinationId);
  const holder = volumes
    .filter((volume) => locator === volume.locator || locator.startsWith(`${volume.locator}/`))
    .sort((a, b) => b.locator.length - a.locator.length)[0];
  const volume: VolumeReference | null =
    holder === undefined
      ? null
      : { locator: holder.locator, offset: holder.offset, length: holder.length, fileSystem: holder.fileSystem?.name ?? '' };
  if (volume === null && locator !== 'image:') throw notFound(locator);
  if (locator !== 'image:' && locator !== volume?.locator && (await readEntry(database, examinationId, locator)) === null)
    throw notFound(locator);
  await recorder.recordAccess(database, examinationId, 'cat', locator);
  const task = {
    kind: 'read-content',
    image: found.examination.image,
    locator,
    volume: locator === 'image:' && volume?.locator !== 'image:' ? null : volume,
  } as const;
  await threads.run(task, {
    signal,
    async onBatch(batch) {
      if (batch.kind === 'content') await writeAll(out, batch.bytes);
    },
  });
  for (const { code, message } of await problemsAt(database, examinationId, locator)) aside(`custodia: ${visible(message)} [${code}]\n`);
}

function writeAll(out: Output, bytes: Uint8Array): Promise<void> | void {
  const stream = out as NodeJS.WritableStream;
  if (stream.write(bytes) !== false) return;
  return new Promise((resolve) => stream.once('drain', resolve));
}

const notFound = (locator: string) =>
  new CommandError(
    exitCodes.refused,
    'locator.not-found',
    `${visible(locator)}: nothing was found at this place; 'custodia list EXAMINATION' shows all locators`,
  );
