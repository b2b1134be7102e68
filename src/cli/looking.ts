/** `list`, `show`, `cat`, `report`: in the installation of this machine, or at a service where one is named. */
import { type Command } from 'commander';
import { type LocalFlags, withInstallation } from './local.ts';
import { type Add } from './main-job.ts';
import { refuseFullFolder } from './out-folder.ts';
import { readerGone } from './run.ts';
import { connect, type ServiceFlags, withServerOptions } from './service/ask.ts';
import { catEntry, type FilterFlags, fetchReport, listService, refuseFilters, showEntry, withFilters } from './service/found.ts';
import { stopSignal } from './stop-signal.ts';
import { summaryLines } from './summary.ts';
import { jsonLine } from './terminal.ts';

type LookFlags = LocalFlags & ServiceFlags & { readonly examination?: string };

const asked = ({ server }: ServiceFlags): boolean => server !== undefined || (process.env.CUSTODIA_SERVER ?? '') !== '';

const where = 'At the service with --server or CUSTODIA_SERVER, else in the data folder of this machine.';
const addBoth = (add: Add, usage: string, description: string): Command =>
  withServerOptions(add(usage, description), 'default: none, this machine').addHelpText('after', `\n${where}`);

export function addLooking(add: Add): void {
  withFilters(addBoth(add, 'list [examination]', 'list all examinations, or what was found in one')).action(
    async (id: string | undefined, flags: LookFlags & FilterFlags) => {
      if (asked(flags)) return listService(await connect(flags), id, flags, flags.json === true, process.stdout);
      refuseFilters(flags);
      const { chooseExamination, listAll, listFound } = await import('./browse.ts');
      return withInstallation(flags, async (installation) => {
        if (id === undefined) await listAll(installation, flags.json === true, process.stdout);
        else await listFound(installation, await chooseExamination(installation, id), flags.json === true, process.stdout);
      });
    },
  );
  addBoth(add, 'show <locator>', 'show what is known about one entry or volume')
    .option('--examination <id>', 'default: the newest')
    .action(async (locator: string, flags: LookFlags) => {
      if (asked(flags)) return showEntry(await connect(flags), flags.examination, locator, flags.json === true, process.stdout);
      const { chooseExamination, show } = await import('./browse.ts');
      return withInstallation(flags, async (installation) =>
        show(installation, await chooseExamination(installation, flags.examination), locator, flags.json === true, process.stdout),
      );
    });
  addBoth(add, 'cat <locator>', 'write the content of one entry to standard output')
    .option('--examination <id>', 'default: the newest')
    .action(async (locator: string, flags: LookFlags) => {
      const signal = AbortSignal.any([stopSignal(), readerGone]);
      if (asked(flags)) return catEntry(await connect(flags), flags.examination, locator, process.stdout, signal);
      const { cat, chooseExamination } = await import('./browse.ts');
      return withInstallation(flags, async (installation) =>
        cat(installation, await chooseExamination(installation, flags.examination), locator, process.stdout, signal, (line) =>
          process.stderr.write(line),
        ),
      );
    });
}

export function addReport(add: Add): void {
  addBoth(add, 'report [examination]', 'write the report of a concluded examination again, or fetch it (default: the newest)')
    .requiredOption('--out <folder>', 'new or empty folder for the report')
    .action(async (id: string | undefined, flags: LookFlags & { out: string }) => {
      await refuseFullFolder(flags.out);
      if (asked(flags)) return fetchReport(await connect(flags), id, flags.out, flags.json === true, process.stdout, stopSignal());
      const [{ chooseExamination, refuseOpenExamination }, { writeExaminationReport }] = await Promise.all([
        import('./browse.ts'),
        import('../reports/assemble.ts'),
      ]);
      return withInstallation(flags, async (installation) => {
        const chosen = await chooseExamination(installation, id);
        await refuseOpenExamination(installation, chosen);
        const report = await writeExaminationReport(installation, chosen, flags.out);
        process.stdout.write(flags.json ? jsonLine(report) : `${summaryLines(report).join('\n')}\n`);
      });
    });
}
