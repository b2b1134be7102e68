/** Commands that work on this machine's own installation: loaded and opened for them, closed whatever happens. Those that ask a service start without it. */
import { availableParallelism } from 'node:os';
import { type Config, readConfig } from '../config.ts';
import { type Installation } from '../installation.ts';
import { refuseUnusableDataFolder } from './data-folder.ts';

export interface LocalFlags {
  readonly data?: string;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly json?: boolean;
}

export const configOf = (flags: LocalFlags): Config => readConfig(flags, process.env, availableParallelism());

export async function withInstallation<T>(flags: LocalFlags, work: (installation: Installation) => Promise<T>): Promise<T> {
  const onStage = (what: string) => {
    if (process.stderr.isTTY && flags.json !== true) process.stderr.write(`${what}\n`);
  };
  const config = configOf(flags);
  await refuseUnusableDataFolder(config.dataFolder);
  const { openInstallation } = await import('../installation.ts');
  const installation = await openInstallation(config, onStage);
  try {
    return await work(installation);
  } finally {
    await installation.close();
  }
}
