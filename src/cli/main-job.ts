/** `process`, `verify`, `doctor`, `demo`: the main job on this machine, without a service. */
import { type Command, InvalidArgumentError } from 'commander';
import { furtherDigests } from '../config.ts';
import { configOf, type LocalFlags, withInstallation } from './local.ts';
import { refuseDeceptiveNames } from './names.ts';
import { refuseFullFolder } from './out-folder.ts';
import { openProgress } from './progress.ts';
import { stopSignal } from './stop-signal.ts';
import { summaryLines } from './summary.ts';
import { jsonLine } from './terminal.ts';
import { wholeNumber } from './whole-number.ts';

/** Adds a command with the options that all of them have. */
export type Add = (usage: string, description: string) => Command;

const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

function collectDigest(value: string, earlier: readonly string[]): string[] {
  if (!furtherDigests.includes(value)) throw new InvalidArgumentError(`expected one of ${furtherDigests.join(', ')}`);
  return [...earlier, value];
}

interface ProcessFlags extends LocalFlags {
  readonly case: string;
  readonly exhibit: string;
  readonly examiner: string;
  readonly digest: readonly string[];
  readonly out: string;
}

async function runProcess(images: readonly string[], flags: ProcessFlags): Promise<void> {
  const signal = stopSignal();
  refuseDeceptiveNames(flags);
  await refuseFullFolder(flags.out);
  process.exitCode = await withInstallation(flags, async (installation) => {
    const form = flags.json ? 'json' : process.stderr.isTTY ? 'bars' : 'lines';
    const view = openProgress(flags.json ? process.stdout : process.stderr, form, () => performance.now());
    const { case: caseReference, exhibit, examiner, digest: digests, out } = flags;
    const options = { images, caseReference, exhibit, examiner, digests, out };
    const { processImages } = await import('./process.ts');
    const { status, reports } = await processImages(installation, options, view, signal);
    for (const report of reports) {
      process.stdout.write(flags.json ? jsonLine({ event: 'report', status, ...report }) : `${summaryLines(report).join('\n')}\n`);
    }
    return status;
  });
}

export function addMainJob(add: Add): void {
  add('process <image...>', 'examine images and write their reports')
    .requiredOption('--case <reference>', 'reference of the case')
    .requiredOption('--exhibit <label>', 'label of the exhibit that the image was made of')
    .requiredOption('--examiner <name>', 'who examines')
    .requiredOption('--out <folder>', 'new or empty folder for the report')
    .option('--digest <name>', `a further digest of every file (may be repeated): ${furtherDigests.join(', ')}`, collectDigest, [])
    .option('--concurrency <number>', 'units worked on at once (default: two more than threads)', wholeNumber)
    .action(runProcess);
  add('verify <folder>', 'verify a report folder: offline, without a database')
    .option('--evidence <file>', 'a file of the image to compare with (may be repeated)', collect, [])
    .option(
      '--trust <key>',
      'a public key file or fingerprint to trust (may be repeated; default: the key of this installation)',
      collect,
      [],
    )
    .action(async (folder: string, flags: LocalFlags & { evidence: string[]; trust: string[] }) => {
      const { dataFolder, threads } = configOf(flags);
      const [{ runVerify }, { packageVersion }] = await Promise.all([import('./verify.ts'), import('../installation.ts')]);
      const version = await packageVersion();
      const { evidence, trust, json = false } = flags;
      const write = (text: string) => process.stdout.write(text);
      process.exitCode = await runVerify({ folder, evidence, trust, json, dataFolder, threads, version, write });
    });
}

export function addSetUp(add: Add): void {
  add('doctor', 'say what is found, missing, degraded').action(async (flags: LocalFlags) => {
    const { doctor } = await import('./doctor.ts');
    process.exitCode = await doctor(configOf(flags), flags.json === true, process.stdout);
  });
  add('demo', 'run the main job on the image that comes with the program').action(async (flags: LocalFlags) => {
    const signal = stopSignal();
    const { demo } = await import('./demo.ts');
    process.exitCode = await withInstallation(flags, (installation) => demo(installation, process.stdout, signal));
  });
}
