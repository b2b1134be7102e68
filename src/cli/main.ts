/** The command line: reads arguments, calls, answers with an honest exit status. */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { furtherDigests, readConfig } from '../config.ts';
import { type Installation, openInstallation, packageVersion } from '../installation.ts';
import { writeExaminationReport } from '../reports/assemble.ts';
import { cat, chooseExamination, listAll, listFound, refuseOpenExamination, show } from './browse.ts';
import { refuseUnusableDataFolder } from './data-folder.ts';
import { demo } from './demo.ts';
import { doctor } from './doctor.ts';
import { exitCodes } from './exit-codes.ts';
import { refuseDeceptiveNames } from './names.ts';
import { processImages, refuseFullFolder } from './process.ts';
import { openProgress } from './progress.ts';
import { readerGone, runCommand } from './run.ts';
import { summaryLines } from './summary.ts';
import { jsonLine } from './terminal.ts';
import { runVerify } from './verify.ts';
import { wholeNumber } from './whole-number.ts';

interface Common {
  readonly data?: string;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly json?: boolean;
}

/** Aborts at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(exitCodes.stopped);
    process.stderr.write('\nstopping: what is under way is given back (again: at once)\n');
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}

const configOf = (options: Common) => readConfig(options, process.env, availableParallelism());

/** Opens the installation, runs `work`, closes it whatever happens. */
async function withInstallation<T>(options: Common, work: (installation: Installation) => Promise<T>): Promise<T> {
  const onStage = (what: string) => {
    if (process.stderr.isTTY && options.json !== true) process.stderr.write(`${what}\n`);
  };
  const config = configOf(options);
  await refuseUnusableDataFolder(config.dataFolder);
  const installation = await openInstallation(config, onStage);
  try {
    return await work(installation);
  } finally {
    await installation.close();
  }
}

const collect = (value: string, earlier: readonly string[]): string[] => [...earlier, value];

function collectDigest(value: string, earlier: readonly string[]): string[] {
  if (!furtherDigests.includes(value)) throw new InvalidArgumentError(`expected one of ${furtherDigests.join(', ')}`);
  return [...earlier, value];
}

interface ProcessFlags extends Common {
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
    const { status, reports } = await processImages(installation, options, view, signal);
    for (const report of reports) {
      process.stdout.write(flags.json ? jsonLine({ event: 'report', status, ...report }) : `${summaryLines(report).join('\n')}\n`);
    }
    return status;
  });
}

/** Adds a command with the options that all of them have. */
type Add = (usage: string, description: string) => Command;

function addMainJob(add: Add): void {
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
    .action(async (folder: string, flags: Common & { evidence: string[]; trust: string[] }) => {
      const { dataFolder, threads } = configOf(flags);
      const version = await packageVersion();
      const { evidence, trust, json = false } = flags;
      process.exitCode = await runVerify({
        folder,
        evidence,
        trust,
        json,
        dataFolder,
        threads,
        version,
        write: (text) => process.stdout.write(text),
      });
    });
}

function addLooking(add: Add): void {
  add('list [examination]', 'list all examinations, or what was found in one').action((id: string | undefined, flags: Common) =>
    withInstallation(flags, async (installation) => {
      if (id === undefined) await listAll(installation, flags.json === true, process.stdout);
      else await listFound(installation, await chooseExamination(installation, id), flags.json === true, process.stdout);
    }),
  );
  add('show <locator>', 'show what is known about one entry or volume')
    .option('--examination <id>', 'default: the newest')
    .action((locator: string, flags: Common & { examination?: string }) =>
      withInstallation(flags, async (installation) =>
        show(installation, await chooseExamination(installation, flags.examination), locator, flags.json === true, process.stdout),
      ),
    );
  add('cat <locator>', 'write the content of one entry to standard output')
    .option('--examination <id>', 'default: the newest')
    .action((locator: string, flags: Common & { examination?: string }) =>
      withInstallation(flags, async (installation) =>
        cat(
          installation,
          await chooseExamination(installation, flags.examination),
          locator,
          process.stdout,
          AbortSignal.any([stopSignal(), readerGone]),
          (line) => process.stderr.write(line),
        ),
      ),
    );
}

function addReport(add: Add): void {
  add('report [examination]', 'write the report of a concluded examination again')
    .requiredOption('--out <folder>', 'new or empty folder for the report')
    .action((id: string | undefined, flags: Common & { out: string }) =>
      withInstallation(flags, async (installation) => {
        await refuseFullFolder(flags.out);
        const chosen = await chooseExamination(installation, id);
        await refuseOpenExamination(installation, chosen);
        const report = await writeExaminationReport(installation, chosen, flags.out);
        process.stdout.write(flags.json ? jsonLine(report) : `${summaryLines(report).join('\n')}\n`);
      }),
    );
}

function program(version: string): Command {
  const command = new Command('custodia')
    .description('Evidence image in, signed chain-of-custody report out.')
    .version(version)
    .exitOverride()
    .configureHelp({ sortSubcommands: false });
  const add: Add = (usage, description) =>
    command
      .command(usage)
      .description(description)
      .exitOverride()
      .option('--data <folder>', 'folder of the database, the keys and the catalogues (default: ./custodia-data)')
      .option('--threads <number>', 'threads of this process (default: one per core)', wholeNumber)
      .option('--json', 'answer in JSON lines');
  addMainJob(add);
  addLooking(add);
  addReport(add);
  add('doctor', 'say what is found, missing, degraded').action(async (flags: Common) => {
    process.exitCode = await doctor(configOf(flags), flags.json === true, process.stdout);
  });
  add('demo', 'run the main job on the image that comes with the program').action(async (flags: Common) => {
    const signal = stopSignal();
    process.exitCode = await withInstallation(flags, (installation) => demo(installation, process.stdout, signal));
  });
  command.command('serve').description('API and a worker (custodia serve --help)');
  command.command('work').description('one more worker process (custodia work --help)');
  return command;
}

await runCommand(async () => {
  await program(await packageVersion()).parseAsync();
});
