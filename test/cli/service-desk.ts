/** People at their desks: each with the command line, a home folder and a token of their own, at one service. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Desk, jsonLines, openDesk, type Ran } from './custodia.ts';

export interface Colleague {
  readonly desk: Desk;
  /** Exit status 0 is expected; gives the lines of JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: lines of JSON, read by tests only
  does(...args: readonly string[]): Promise<any[]>;
  /** In one process with all others: the way in and out of it is that of src/cli/run.ts. */
  tries(...args: readonly string[]): Promise<Ran>;
  /** In a process of its own, with lines on standard input. */
  types(line: string, ...args: readonly string[]): Promise<Ran>;
  readonly home: string;
  close(): Promise<void>;
}

export interface Asked {
  readonly number: number;
  readonly args: readonly string[];
}

export interface Told {
  readonly number: number;
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `token` null: has none yet. */
export function colleague(url: string, token: string | null): Colleague {
  const desk = openDesk({ CUSTODIA_SERVER: url, ...(token === null ? {} : { CUSTODIA_TOKEN: token }) });
  const home = desk.path('home');
  mkdirSync(home);
  const commands = openCommands(desk.folder, {
    ...{ PATH: process.env.PATH, HOME: home, CUSTODIA_DATA: desk.data, CUSTODIA_THREADS: '2', CUSTODIA_SERVER: url },
    ...(token === null ? {} : { CUSTODIA_TOKEN: token }),
  });
  const tries = commands.run;
  return {
    desk,
    tries,
    types: (line, ...args) => desk.start(args, { HOME: home }, `${line}\n`).ended,
    home,
    async does(...args) {
      const { status, stdout, stderr } = await tries(...args, '--json');
      if (status !== 0) throw new Error(`custodia ${args.join(' ')}: status ${status}\n${stdout}\n${stderr}`);
      return jsonLines(stdout);
    },
    async close() {
      commands.close();
      await desk.close();
    },
  };
}

/** The process starts with the first command. */
function openCommands(cwd: string, env: NodeJS.ProcessEnv) {
  let child: ChildProcess | null = null;
  let asked = 0;
  const waiting = new Map<number, (told: Told) => void>();
  const start = () => {
    const started = fork(join(import.meta.dirname, 'many-commands.ts'), { cwd, env, execArgv: [], execPath: process.execPath });
    started.on('message', (told: Told) => {
      waiting.get(told.number)?.(told);
      waiting.delete(told.number);
    });
    return started;
  };
  return {
    async run(...args: readonly string[]): Promise<Ran> {
      child ??= start();
      const number = asked++;
      const answered = new Promise<Told>((resolve) => waiting.set(number, resolve));
      child.send({ number, args });
      const { status, stdout, stderr } = await answered;
      return { status, signal: null, stdout, stderr };
    },
    close: () => child?.kill('SIGKILL'),
  };
}
