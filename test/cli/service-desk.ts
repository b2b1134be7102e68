/** People at their desks: each with the command line, a home folder and a token of their own, at one service. */
import { mkdirSync } from 'node:fs';
import { type Desk, jsonLines, openDesk, type Ran } from './custodia.ts';

export interface Colleague {
  readonly desk: Desk;
  /** Exit status 0 is expected; gives the lines of JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: lines of JSON, read by tests only
  does(...args: readonly string[]): Promise<any[]>;
  tries(...args: readonly string[]): Promise<Ran>;
  /** With a line on standard input. */
  types(line: string, ...args: readonly string[]): Promise<Ran>;
  readonly home: string;
}

/** `token` null: has none yet. */
export function colleague(url: string, token: string | null): Colleague {
  const desk = openDesk({ CUSTODIA_SERVER: url, ...(token === null ? {} : { CUSTODIA_TOKEN: token }) });
  const home = desk.path('home');
  mkdirSync(home);
  const tries = (...args: readonly string[]) => desk.start(args, { HOME: home }).ended;
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
  };
}
