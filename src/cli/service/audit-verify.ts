/** `audit verify`: the audit log as the service exports it, checked offline, without a database. */
import { type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { type Command } from 'commander';
import { type AuditCheck, checkAudit } from '../../custody/audit-event.ts';
import { CommandError, exitCodes } from '../exit-codes.ts';
import { jsonLine, visible } from '../terminal.ts';

interface Flags {
  readonly trust: readonly string[];
  readonly data?: string;
  readonly json?: boolean;
}

const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

export function addAuditVerify(audit: Command): void {
  const command = audit
    .command('verify <file...>')
    .description('verify exported logs (audit/export.jsonl): offline, without a database')
    .exitOverride()
    .option('--trust <key>', 'a public key file to trust (may be repeated; default: the key of this installation)', collect, [])
    .option('--data <folder>', 'folder with the keys of this installation (default: ./custodia-data)')
    .option('--json', 'answer in JSON lines');
  command.action(async (files: readonly string[]) => {
    const { trust, data, json = false } = command.optsWithGlobals<Flags>();
    const { readTrust } = await import('../verify.ts');
    const { fingerprints, keys } = await readTrust(trust, resolve(data ?? (process.env.CUSTODIA_DATA || 'custodia-data')));
    const bare = [...fingerprints.keys()].find((fingerprint) => !keys.has(fingerprint));
    if (bare !== undefined)
      throw new CommandError(
        exitCodes.refused,
        'trust.unreadable',
        `--trust ${bare}: a log brings no key along, expected a file with the key`,
      );
    process.exitCode = exitCodes.complete;
    for (const file of files) {
      const status = await verifyFile(file, keys, json);
      if (status === exitCodes.failed || process.exitCode === exitCodes.complete) process.exitCode = status;
    }
  });
}

const shownFaults = 100;

async function verifyFile(file: string, keys: ReadonlyMap<string, KeyObject>, json: boolean): Promise<number> {
  const check = checkAudit(keys);
  let shown = 0;
  let events = 0;
  for await (const line of linesOf(file)) {
    if (check.add(line) !== null) events++;
    for (; shown < Math.min(check.faults.length, shownFaults); shown++) {
      const { line: number, message } = check.faults[shown]!;
      process.stdout.write(json ? jsonLine({ event: 'fault', file, line: number, message }) : `${visible(`${file}: ${message}`)}\n`);
    }
  }
  const status = statusOf(check);
  const { faults, unknownSigners, missing, head } = check;
  const sha256 = head.digest;
  if (json)
    process.stdout.write(jsonLine({ event: 'verdict', file, status, events, faults: faults.length, unknownSigners, missing, sha256 }));
  else process.stdout.write(`${visible(file)}: ${verdictOf(check, events)}\n  last line: number ${head.seq}, SHA-256 ${sha256}\n`);
  return status;
}

function statusOf({ faults, unknownSigners, missing, head }: AuditCheck): number {
  if (faults.length > unknownSigners) return exitCodes.failed;
  return unknownSigners > 0 || missing > 0 || head.seq < 0 ? exitCodes.untrusted : exitCodes.complete;
}

function verdictOf({ faults, unknownSigners, missing, head }: AuditCheck, events: number): string {
  if (faults.length > unknownSigners) return `THIS LOG CONTRADICTS ITSELF in ${faults.length} places`;
  if (unknownSigners > 0) return `INCOMPLETE: ${unknownSigners} lines are signed by a key that you do not trust (--trust)`;
  if (missing > 0) return `INCOMPLETE: ${events} events hold, ${missing} between them are not here: of other agencies, or taken out`;
  return head.seq < 0 ? 'INCOMPLETE: it is empty' : `all ${events} events hold, none is missing before the last`;
}

/** Longer than any event. */
const lineLimit = 1024 * 1024;

/** Exactly: a line break of another kind, or none behind the last line, is not what the service has written. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        yield rest.toString('utf8', 0, end);
        rest = rest.subarray(end + 1);
      }
      if (rest.length > lineLimit)
        throw new CommandError(exitCodes.failed, 'audit.line', `${file}: a line is longer than ${lineLimit} bytes`);
    }
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(exitCodes.refused, 'audit.unreadable', `${file}: cannot be read (${code}), expected an exported log`);
  }
  if (rest.length > 0) yield rest.toString();
}
