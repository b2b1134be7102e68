/** One process that runs many commands, one after the other, as its parent asks for them: for tests that are not about the process. */
import { program } from '../../src/cli/program.ts';
import { runCommand } from '../../src/cli/run.ts';
import { type Asked, type Told } from './service-desk.ts';

const streams = ['stdout', 'stderr'] as const;

async function run({ number, args }: Asked): Promise<Told> {
  const text = { stdout: '', stderr: '' };
  const own = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of streams)
    process[name].write = ((chunk: string | Uint8Array) => {
      text[name] += Buffer.from(chunk as string).toString('latin1');
      return true;
    }) as typeof own.stdout;
  process.argv = [process.argv[0]!, 'custodia', ...args];
  process.exitCode = 0;
  await runCommand(async () => {
    await program('0').parseAsync();
  });
  const status = Number(process.exitCode);
  for (const name of streams) {
    process[name].write = own[name];
    process[name].removeAllListeners('error');
  }
  process.removeAllListeners('SIGINT');
  process.removeAllListeners('SIGTERM');
  const utf8 = (latin1: string) => Buffer.from(latin1, 'latin1').toString('utf8');
  return { number, status, stdout: utf8(text.stdout), stderr: utf8(text.stderr) };
}

let last: Promise<unknown> = Promise.resolve();
process.on('message', (asked: Asked) => {
  last = last.then(async () => process.send!(await run(asked)));
});
