/** All commands of the command line, in the order of the help text. */
import { Command } from 'commander';
import { addAdministrator } from './administrator.ts';
import { addLooking, addReport } from './looking.ts';
import { type Add, addMainJob, addSetUp } from './main-job.ts';
import { addCases, addExhibits } from './service/cases.ts';
import { addExaminations, addStatus, addUnits } from './service/examinations.ts';
import { addCustody, addFindings } from './service/findings.ts';
import { addQueue, addWorkers } from './service/fleet.ts';
import { addAccounts, addAgencies, addAudit, addTokens } from './service/people.ts';
import { addSignIn } from './service/sign-in.ts';
import { addSubmit } from './service/submit.ts';
import { wholeNumber } from './whole-number.ts';

export function program(version: string): Command {
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
  command.commandsGroup('On this machine:');
  addMainJob(add);
  addSetUp(add);
  addAdministrator(add);
  command.commandsGroup('On this machine, or at a service:');
  addLooking(add);
  addReport(add);
  command.commandsGroup('The service itself:');
  command.command('serve').description('API and a worker (custodia serve --help)');
  command.command('work').description('one more worker process (custodia work --help)');
  command.commandsGroup('At a service:');
  addSignIn(command);
  addSubmit(command);
  addStatus(command);
  addCases(command);
  addExhibits(command);
  addCustody(command);
  addExaminations(command);
  addUnits(command);
  addFindings(command);
  addAgencies(command);
  addAccounts(command);
  addTokens(command);
  addWorkers(command);
  addQueue(command);
  addAudit(command);
  return command;
}
