/** `submit`: evidence to the service, from this machine, from where the service sees it, or from a bucket; and its examination begun. */
import { type Command, InvalidArgumentError } from 'commander';
import { type Connection, path } from '../../client/connection.ts';
import { stateFolder } from '../../client/tokens.ts';
import { sendFile, type UploadProgress, waitForUpload } from '../../client/upload.ts';
import { furtherDigests } from '../../config.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { refuseDeceptiveNames } from '../names.ts';
import { stopSignal } from '../stop-signal.ts';
import { formatBytes, jsonLine, visible } from '../terminal.ts';
import { asks, lookForNamed, type ServiceFlags } from './ask.ts';
import { watchToEnd } from './examinations.ts';
import { collectOneOf, moment, priorityNumber } from './option-values.ts';
import { type Row } from './rows.ts';

interface Place {
  readonly [member: string]: string;
}

interface SubmitFlags extends ServiceFlags {
  readonly case: string;
  readonly exhibit: string;
  readonly description?: string;
  readonly inPlace: readonly Place[];
  readonly s3: readonly Place[];
  readonly priority?: number;
  readonly deadline?: string;
  readonly digest: readonly string[];
  readonly wait?: boolean;
}

const collectPlace =
  (first: string, second: string) =>
  (value: string, earlier: readonly Place[]): readonly Place[] => {
    const colon = value.indexOf(':');
    if (colon < 1 || colon === value.length - 1) throw new InvalidArgumentError(`expected ${first.toUpperCase()}:${second.toUpperCase()}`);
    return [...earlier, { [first]: value.slice(0, colon), [second]: value.slice(colon + 1) }];
  };

export function addSubmit(program: Command): void {
  const submit = program
    .command('submit [image...]')
    .description('send all files of an image as an exhibit and have it examined; prints the id of the examination')
    .requiredOption('--case <reference>', 'reference or id of the case; made where it is missing and you may')
    .requiredOption('--exhibit <label>', 'label of the exhibit that the image was made of; made where it is missing')
    .option('--description <text>', 'of a new exhibit')
    .option('--in-place <root:path>', 'a file below an evidence root of the service (may be repeated)', collectPlace('root', 'path'), [])
    .option('--s3 <source:key>', 'an object of a bucket that the service knows (may be repeated)', collectPlace('source', 'key'), [])
    .option('--priority <number>', '1 (first) to 10 (last)', priorityNumber)
    .option('--deadline <time>', 'when it should have ended (ISO 8601)', moment)
    .option(
      '--digest <name>',
      `a further digest of every file (may be repeated): ${furtherDigests.join(', ')}`,
      collectOneOf(furtherDigests),
      [],
    )
    .option('--wait', 'follow the examination to its end; exit status as of `process`');
  asks<SubmitFlags>(submit, async ({ connection, args, flags, json }) => {
    const signal = stopSignal('what was sent is kept, the same command goes on from there');
    if (args.length + flags.inPlace.length + flags.s3.length === 0)
      throw new CommandError(exitCodes.refused, 'usage', 'name at least one image, --in-place or --s3');
    refuseDeceptiveNames({ case: flags.case, exhibit: flags.exhibit, examiner: 'the account' });
    const exhibitId = await findExhibit(connection, flags);
    await sendAll(connection, exhibitId, args, json, signal);
    for (const place of [...flags.inPlace, ...flags.s3]) await takeIn(connection, exhibitId, place, json, signal);
    const { digest: digests, priority, deadline } = flags;
    const begun = await connection.ask<Row & { id: string }>('POST', path`/exhibits/${exhibitId}/examinations`, {
      body: { digests, priority, deadline },
    });
    process.stdout.write(json ? jsonLine({ event: 'submitted', exhibit: exhibitId, examination: begun.id }) : `${begun.id}\n`);
    if (flags.wait === true) process.exitCode = await watchToEnd(connection, begun.id, json, signal);
  });
}

async function findExhibit(connection: Connection, { case: reference, exhibit: label, description }: SubmitFlags): Promise<string> {
  const made = (where: string, body: unknown) => connection.ask<{ id: string }>('POST', where, { body }).then(({ id }) => id);
  const caseId = (await lookForNamed(connection, '/cases', 'reference', reference)) ?? (await made('/cases', { reference }));
  const exhibits = path`/cases/${caseId}/exhibits`;
  return (await lookForNamed(connection, exhibits, 'label', label)) ?? (await made(exhibits, { label, description }));
}

async function sendAll(
  connection: Connection,
  exhibitId: string,
  files: readonly string[],
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  for (const file of files) {
    const show = openLine(file, json);
    try {
      const sent = await sendFile(connection, {
        exhibitId,
        file,
        stateFolder: stateFolder(process.env),
        onProgress: show.progress,
        signal,
      });
      show.done();
      if (json) process.stdout.write(jsonLine({ event: 'sent', file, ...sent }));
      else
        process.stderr.write(
          `${sent.known ? 'is there already:' : 'sent'} ${visible(file)}, ${formatBytes(sent.size)}, sha256 ${sent.sha256}\n`,
        );
    } catch (error) {
      show.done();
      if (!signal.aborted) throw error;
      throw new CommandError(exitCodes.stopped, 'stopped', 'stopped; the same command goes on from here');
    }
  }
}

/** What the service takes in by itself: there at once, or fetched by it while we wait. */
async function takeIn(connection: Connection, exhibitId: string, place: Place, json: boolean, signal: AbortSignal): Promise<void> {
  const segments = path`/exhibits/${exhibitId}/segments`;
  for await (const known of connection.all<Row>(segments))
    if (known.root === place.root && known.path === place.path && 'root' in place) return;
  const answer = await connection.ask<Row & { id?: string }>('POST', segments, { body: place });
  if (answer.id !== undefined) await waitForUpload(connection, answer.id, signal);
  const text = Object.values(place).join(':');
  if (json) process.stdout.write(jsonLine({ event: 'taken-in', ...place }));
  else process.stderr.write(`taken in ${visible(text)}\n`);
}

const everyMs = 200;

/** One line that is drawn over at a terminal; nothing but the end elsewhere. */
function openLine(file: string, json: boolean): { progress(at: UploadProgress): void; done(): void } {
  const { stderr } = process;
  let shownAt = 0;
  const drawn = stderr.isTTY === true && !json;
  return {
    progress({ stage, bytes, size }) {
      if (!drawn || (performance.now() - shownAt < everyMs && bytes < size)) return;
      shownAt = performance.now();
      const full = Math.round((bytes / size) * 30);
      const text = `  ${stage} [${'#'.repeat(full)}${'.'.repeat(30 - full)}] ${formatBytes(bytes)} of ${formatBytes(size)}  ${visible(file)}`;
      stderr.write(`\r\u001b[K${text.slice(0, (stderr.columns ?? 80) - 1)}`);
    },
    done: () => void (drawn && stderr.write('\r\u001b[K')),
  };
}
