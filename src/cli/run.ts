/** Runs a command: whatever it throws becomes a message, a line of JSON where that was asked for, and an exit status. */
import { CommanderError } from 'commander';
import { ApiError } from '../client/api-error.ts';
import { ConfigError } from '../config.ts';
import { TaskError } from '../pipeline/task-error.ts';
import { CommandError, exitCodes } from './exit-codes.ts';
import { jsonLine, visible } from './terminal.ts';

const gone = new AbortController();

/** Aborted when nobody reads standard output any more (`custodia list ... | head`): then there is no use in going on to write. */
export const readerGone: AbortSignal = gone.signal;

export async function runCommand(command: () => Promise<void>): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      gone.abort();
    });
  }
  try {
    await command();
  } catch (error) {
    process.exitCode = statusOf(error);
    if (process.exitCode !== exitCodes.complete) tellOf(error);
  }
}

function statusOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.complete : exitCodes.refused;
  if (error instanceof CommandError) return error.status;
  if (error instanceof ConfigError) return exitCodes.refused;
  if (error instanceof ApiError) return error.refused ? exitCodes.refused : exitCodes.failed;
  if (!isAborted(error)) return exitCodes.failed;
  return readerGone.aborted ? exitCodes.complete : exitCodes.stopped;
}

const isAborted = (error: unknown): boolean =>
  (error instanceof TaskError && error.code === 'task.aborted') || (error instanceof Error && error.name === 'AbortError');

function tellOf(error: unknown): void {
  if (error instanceof CommanderError) {
    tell('usage', error.message, false); // Commander has written it to standard error
  } else if (isAborted(error)) {
    tell('stopped', 'stopped');
  } else {
    const { code, message } = error instanceof Error ? (error as Error & { code?: string }) : { code: undefined, message: String(error) };
    tell(code ?? 'failed', message);
    if (process.env.CUSTODIA_LOG === 'debug' && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  }
}

function tell(code: string, message: string, aloud = true): void {
  if (process.argv.includes('--json')) process.stdout.write(jsonLine({ event: 'error', code, message }));
  if (aloud) process.stderr.write(`custodia: ${message.split('\n').map(visible).join('\n  ')} [${visible(code)}]\n`);
}
