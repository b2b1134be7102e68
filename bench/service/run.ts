/** `npm run bench:service`: runs every bench of this folder in turn and prints what each found. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';

const benches = ['events', 'submit', 'entries'] as const;
const { only } = new Command('npm run bench:service --')
  .description('Measures the service on this machine; the first run of `entries` makes a million entries below bench/.work.')
  .option('--only <names>', `some of: ${benches.join(', ')}`, (text: string) => text.split(','))
  .parse()
  .opts<{ only?: string[] }>();

console.log(`Node ${process.version}, ${availableParallelism()} x ${cpus()[0]?.model}, ${(totalmem() / 1e9).toFixed(0)} GB`);
for (const name of benches.filter((each) => only === undefined || only.includes(each))) {
  console.log(`\n== ${name}`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`)], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
