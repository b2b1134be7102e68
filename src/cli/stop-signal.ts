/** Stopping in order: what Ctrl-C and SIGTERM do to a command. */
import { exitCodes } from './exit-codes.ts';

/** Aborts at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
export function stopSignal(what = 'what is under way is given back'): AbortSignal {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(exitCodes.stopped);
    process.stderr.write(`\nstopping: ${what} (again: at once)\n`);
    controller.abort();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  return controller.signal;
}
