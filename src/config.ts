/** What the environment and the command line settle, read once at start. */
import { resolve } from 'node:path';

export interface Config {
  /** Folder of the embedded database, the keys and the scratch files. */
  readonly dataFolder: string;
  /** An external PostgreSQL instead of the embedded one. */
  readonly databaseUrl: string | null;
  /** `redis://...` for BullMQ's Redis backend; null for its PostgreSQL backend. */
  readonly queueUrl: string | null;
  /** Threads of this process's pool. */
  readonly threads: number;
  /** Units this process works on at once: more than threads, so that none waits while a unit commits. */
  readonly concurrency: number;
  readonly logLevel: string;
  /** A unit that fails so often (its thread dies, hangs or throws) is quarantined. */
  readonly failuresAllowed: number;
  /** A unit whose worker process dies so often while holding it is quarantined. */
  readonly lossesAllowed: number;
  /** A claim not renewed for so long is released. */
  readonly leaseMs: number;
  readonly reconcileMs: number;
  /** A search that takes longer is refused. */
  readonly searchMs: number;
  /** Bytes that must be free in the data folder's file system for new work to begin; null: 5 %, and at least 10 GiB. */
  readonly reserveBytes: number | null;
  /** A task that tells nothing for so long is ended with its thread. */
  readonly silenceMs: number;
  /** JavaScript heap of one thread, MiB. */
  readonly threadHeapMiB: number;
}

/** A value of the environment cannot be used: `config.value`. */
export class ConfigError extends Error {
  readonly code = 'config.value';
}

export interface ConfigOptions {
  readonly data?: string | undefined;
  readonly threads?: number | undefined;
  readonly concurrency?: number | undefined;
}

/** Options win over the environment (`CUSTODIA_DATA`, `CUSTODIA_THREADS`, ...), the environment over the defaults. Throws ConfigError. */
export function readConfig(options: ConfigOptions, environment: NodeJS.ProcessEnv, cores: number): Config {
  const threads = options.threads ?? whole(environment, 'CUSTODIA_THREADS', Math.max(1, cores), 1, 256);
  return {
    dataFolder: resolve(options.data ?? environment.CUSTODIA_DATA ?? 'custodia-data'),
    databaseUrl: environment.DATABASE_URL || null,
    queueUrl: environment.QUEUE_URL || null,
    threads,
    concurrency: options.concurrency ?? whole(environment, 'CUSTODIA_CONCURRENCY', threads + 2, 1, 256),
    logLevel: oneOf(environment, 'CUSTODIA_LOG', 'warn', logLevels),
    failuresAllowed: whole(environment, 'CUSTODIA_FAILURES', 3, 1, 100),
    lossesAllowed: whole(environment, 'CUSTODIA_LOSSES', 10, 1, 1000),
    leaseMs: whole(environment, 'CUSTODIA_LEASE_MS', 15_000, 500, 600_000),
    reconcileMs: whole(environment, 'CUSTODIA_RECONCILE_MS', 5_000, 100, 600_000),
    searchMs: whole(environment, 'CUSTODIA_SEARCH_MS', 15_000, 1, 25_000),
    reserveBytes: environment.CUSTODIA_RESERVE ? whole(environment, 'CUSTODIA_RESERVE', 0, 0, Number.MAX_SAFE_INTEGER) : null,
    silenceMs: whole(environment, 'CUSTODIA_SILENCE_MS', 120_000, 100, 86_400_000),
    threadHeapMiB: whole(environment, 'CUSTODIA_HEAP_MIB', 512, 32, 65_536),
  };
}

function whole(environment: NodeJS.ProcessEnv, name: string, otherwise: number, least: number, most: number): number {
  const text = environment[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new ConfigError(`${name}: found '${text}', expected a whole number from ${least} to ${most}`);
  }
  return value;
}

/** As pino names them. */
const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

function oneOf(environment: NodeJS.ProcessEnv, name: string, otherwise: string, known: readonly string[]): string {
  const text = environment[name];
  if (text === undefined || text === '') return otherwise;
  if (!known.includes(text)) throw new ConfigError(`${name}: found '${text}', expected one of ${known.join(', ')}`);
  return text;
}

/** Digests of every file, and those that may be asked for besides. */
export const usualDigests: readonly string[] = ['md5', 'sha1', 'sha256'];
export const furtherDigests: readonly string[] = ['sha512', 'sha3-256', 'blake2b', 'blake3', 'xxh64', 'xxh128'];

/** The limits of one task (`Limits` in evidence/limits.ts) where nothing else is asked for. */
export const defaultLimits = {
  depth: 8,
  entries: 100_000,
  unpackedBytes: 4 * 1024 ** 3,
  ratio: 1000,
  ratioFloor: 64 * 1024 ** 2,
  problemsPerCode: 1000,
};

/** Memory that two digesting threads of one image share: 4 KiB of control words and pieces of about 1 MiB. */
export const ringBytes = 4096 + 16 * 1024 * 1024;

/** Media bytes that one leaf digest covers: a later change is located to so many bytes. */
export const leafSize = 64 * 1024 * 1024;
