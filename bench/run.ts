/** `npm run bench`: how fast we are beside the tools of the field, as ratios of one run on one machine, and what memory it takes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { Command } from 'commander';
import { fullSizes, openImages, quickSizes } from './images.ts';
import { type Bench, type Findings, scenarios } from './scenarios.ts';
import { linesOf } from './table.ts';

const { quick, json, rounds, only } = new Command('npm run bench --')
  .description('Makes its images below bench/.work (8 GB; --quick 1 GB) and measures in turn, page cache warm.')
  .option('--quick', 'small images: a trial in seconds, no figures to quote')
  .option('--json', 'one JSON object instead of lines')
  .option('--rounds <number>', 'measured runs of each contender', Number)
  .option('--only <names>', `some of: ${scenarios.map(({ name }) => name).join(', ')}`, (text: string) => text.split(','))
  .parse()
  .opts<{ quick?: boolean; json?: boolean; rounds?: number; only?: string[] }>();

/** Tools of system administrators are not always found by an ordinary user's shell. */
process.env.PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);
const has = (tool: string): boolean => process.env.PATH!.split(delimiter).some((folder) => existsSync(join(folder, tool)));

const versionFlags: Readonly<Record<string, readonly string[]>> = {
  hashdeep: ['-V'],
  fiwalk: ['-V'],
  ewfverify: ['-V'],
  ewfacquire: ['-V'],
  mke2fs: ['-V'],
  mcopy: ['-V'],
};

function versionOf(tool: string): string {
  if (!has(tool)) return 'not found';
  const { stdout, stderr } = spawnSync(tool, versionFlags[tool] ?? [], { encoding: 'utf8' });
  return /\d+\.\d[\w.]*|\b\d{8}\b/.exec(`${stdout}${stderr}`)?.[0] ?? 'of unknown version';
}

const work = join(import.meta.dirname, '.work');
mkdirSync(work, { recursive: true });
const tell = (line: string) => void (json ? process.stderr : process.stdout).write(`${line}\n`);
const machine = {
  processor: cpus()[0]?.model ?? 'unknown',
  cores: availableParallelism(),
  memory: totalmem(),
  system: execFileSync('uname', ['-sr'], { encoding: 'utf8' }).trim(),
  node: process.versions.node,
};
const tools = Object.fromEntries(Object.keys(versionFlags).map((tool) => [tool, versionOf(tool)]));
const bench: Bench = { images: openImages(work, quick ? quickSizes : fullSizes, tell), work, rounds: rounds ?? (quick ? 1 : 5), has };

tell(`${machine.cores} cores (${machine.processor}), ${Math.round(machine.memory / 1e9)} GB, ${machine.system}, Node ${machine.node}`);
tell(
  `${Object.entries(tools)
    .map(([tool, version]) => `${tool} ${version}`)
    .join(', ')}\n`,
);
const all: Record<string, Findings | { readonly skipped: string }> = {};
for (const { name, tools: needed, measure } of scenarios.filter(({ name }) => only === undefined || only.includes(name))) {
  const missing = needed.filter((tool) => !has(tool));
  if (missing.length > 0) {
    all[name] = { skipped: `not found: ${missing.join(', ')}` };
    tell(`${name}: skipped, not found: ${missing.join(', ')}\n`);
    continue;
  }
  const findings = await measure(bench);
  all[name] = findings;
  tell(`${linesOf(findings, quick !== true).join('\n')}\n`);
}
if (json) process.stdout.write(`${JSON.stringify({ machine, tools, quick: quick === true, rounds: bench.rounds, scenarios: all })}\n`);
