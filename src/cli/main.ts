/** The command line: reads arguments, calls, answers with an honest exit status. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { program } from './program.ts';
import { runCommand } from './run.ts';

await runCommand(async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')) as { version: string };
  await program(version).parseAsync();
});
