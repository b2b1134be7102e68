/** What the environment and the command line settle, read once at start. */
import { isAbsolute, join, relative, resolve, sep } from 'node:path';

/** Whose cases evidence may be taken from here into: ids of agencies; null where that is every agency's. */
export type ForAgencies = readonly string[] | null;

export interface EvidenceRoot {
  readonly name: string;
  readonly agencies: ForAgencies;
  /** Absolute. */
  readonly path: string;
}

export interface S3Source {
  readonly name: string;
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly agencies: ForAgencies;
}

export interface IntakeSettings {
  readonly storeFolder: string;
  readonly roots: readonly EvidenceRoot[];
  readonly sources: readonly S3Source[];
  /** A request that brings nothing for so long is cut. */
  readonly idleMs: number;
  /** An upload that is left alone for so long has failed. */
  readonly expiryMs: number;
}

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
  readonly intake: IntakeSettings;
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
  /** Part of a service: what is found is made ready to be searched, and the embedded server takes more memory for it. */
  readonly isService: boolean;
}

/** A value of the environment cannot be used: `config.value`. */
export class ConfigError extends Error {
  readonly code = 'config.value';
}

export interface ConfigOptions {
  readonly data?: string | undefined;
  readonly threads?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly isService?: boolean;
}

/** Options win over the environment (`CUSTODIA_DATA`, `CUSTODIA_THREADS`, ...), the environment over the defaults. Throws ConfigError. */
export function readConfig(options: ConfigOptions, environment: NodeJS.ProcessEnv, cores: number): Config {
  const dataFolder = resolve(options.data ?? environment.CUSTODIA_DATA ?? 'custodia-data');
  const threads = options.threads ?? whole(environment, 'CUSTODIA_THREADS', Math.max(1, cores), 1, 256);
  return {
    dataFolder,
    intake: readIntakeSettings(dataFolder, environment),
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
    isService: options.isService ?? false,
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

const nameForm = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Throws ConfigError. */
export function readIntakeSettings(dataFolder: string, environment: NodeJS.ProcessEnv): IntakeSettings {
  const storeFolder = resolve(environment.CUSTODIA_STORE || join(dataFolder, 'store'));
  return {
    storeFolder,
    roots: readRoots(environment.CUSTODIA_EVIDENCE_ROOTS ?? '', [resolve(dataFolder), storeFolder]),
    sources: readSources(environment),
    idleMs: seconds(environment, 'CUSTODIA_UPLOAD_IDLE_SECONDS', 30),
    expiryMs: seconds(environment, 'CUSTODIA_UPLOAD_EXPIRY_SECONDS', 7 * 86_400),
  };
}

/** `name=/path;name@<id of an agency>,<id>=/path`. None of them may hold `ours` or lie in it: keys and scratch files are no evidence. */
function readRoots(text: string, ours: readonly string[]): EvidenceRoot[] {
  const roots = new Map<string, EvidenceRoot>();
  for (const part of text.split(';').filter((piece) => piece.trim() !== '')) {
    const [, name, given, path] = /^\s*([^=@]+?)\s*(?:@([^=]*))?=\s*(.+?)\s*$/.exec(part) ?? [];
    const refuse = (expected: string) => {
      throw new ConfigError(`CUSTODIA_EVIDENCE_ROOTS: found '${part.trim()}', ${expected}`);
    };
    if (name === undefined || path === undefined || !nameForm.test(name) || !isAbsolute(path) || roots.has(name))
      return refuse('expected name=/absolute/path;..., each name once, of small letters, digits and hyphens');
    const root = { name, path: resolve(path), agencies: readAgencies(given, refuse) };
    if (ours.some((folder) => contains(root.path, folder) || contains(folder, root.path)))
      return refuse('expected a folder apart from the data folder and the store');
    roots.set(name, root);
  }
  return [...roots.values()];
}

const contains = (folder: string, path: string): boolean => {
  const way = relative(folder, path);
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`));
};

/** Ids with `,` between them. */
function readAgencies(text: string | undefined, refuse: (expected: string) => never): ForAgencies {
  if (text === undefined || text === '') return null;
  const ids = text.split(',').map((id) => id.trim());
  if (!ids.every((id) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))) return refuse('expected ids of agencies, , between them');
  return ids;
}

/** `CUSTODIA_S3_SOURCES=name;name`, and for each `CUSTODIA_S3_<NAME>_ENDPOINT`, `_REGION`, `_BUCKET`, `_KEY_ID`, `_SECRET` and, where not all agencies', `_AGENCIES`; hyphens become underscores. */
function readSources(environment: NodeJS.ProcessEnv): S3Source[] {
  const names = (environment.CUSTODIA_S3_SOURCES ?? '')
    .split(';')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names.map((name) => {
    if (!nameForm.test(name)) throw new ConfigError(`CUSTODIA_S3_SOURCES: found '${name}', expected small letters, digits and hyphens`);
    const variableOf = (key: string) => `CUSTODIA_S3_${name.toUpperCase().replaceAll('-', '_')}_${key}`;
    const demand = (key: string): string => {
      const variable = variableOf(key);
      const value = environment[variable];
      if (value === undefined || value === '') throw new ConfigError(`${variable}: not set, expected for the source '${name}'`);
      return value;
    };
    const endpoint = demand('ENDPOINT');
    if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint))
      throw new ConfigError(`source '${name}': its endpoint is no address, expected one like https://s3.example.org`);
    return {
      ...{ name, endpoint, region: demand('REGION'), bucket: demand('BUCKET') },
      ...{ accessKeyId: demand('KEY_ID'), secretAccessKey: demand('SECRET') },
      agencies: readAgencies(environment[variableOf('AGENCIES')], (expected) => {
        throw new ConfigError(`${variableOf('AGENCIES')}: ${expected}`);
      }),
    };
  });
}

function seconds(environment: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = environment[name];
  if (text === undefined || text === '') return otherwise * 1000;
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0 || value > 366 * 86_400)
    throw new ConfigError(`${name}: found '${text}', expected a number of seconds above 0, at most a year`);
  return value * 1000;
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
