/** What the environment settles about taking evidence in, read once at start. */
import { isAbsolute, join, resolve } from 'node:path';
import { ConfigError } from '../config.ts';

export interface EvidenceRoot {
  readonly name: string;
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

const nameForm = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** Throws ConfigError. */
export function readIntakeSettings(dataFolder: string, environment: NodeJS.ProcessEnv): IntakeSettings {
  return {
    storeFolder: resolve(environment.CUSTODIA_STORE || join(dataFolder, 'store')),
    roots: readRoots(environment.CUSTODIA_EVIDENCE_ROOTS ?? ''),
    sources: readSources(environment),
    idleMs: seconds(environment, 'CUSTODIA_UPLOAD_IDLE_SECONDS', 30),
    expiryMs: seconds(environment, 'CUSTODIA_UPLOAD_EXPIRY_SECONDS', 7 * 86_400),
  };
}

/** `name=/path;name=/path` */
function readRoots(text: string): EvidenceRoot[] {
  const roots = new Map<string, EvidenceRoot>();
  for (const part of text.split(';').filter((piece) => piece.trim() !== '')) {
    const [, name, path] = /^\s*([^=]+?)\s*=\s*(.+?)\s*$/.exec(part) ?? [];
    if (name === undefined || path === undefined || !nameForm.test(name) || !isAbsolute(path) || roots.has(name)) {
      const expected = 'expected name=/absolute/path;..., each name once, of small letters, digits and hyphens';
      throw new ConfigError(`CUSTODIA_EVIDENCE_ROOTS: found '${part.trim()}', ${expected}`);
    }
    roots.set(name, { name, path: resolve(path) });
  }
  return [...roots.values()];
}

/** `CUSTODIA_S3_SOURCES=name;name`, and for each `CUSTODIA_S3_<NAME>_ENDPOINT`, `_REGION`, `_BUCKET`, `_KEY_ID`, `_SECRET`; hyphens become underscores. */
function readSources(environment: NodeJS.ProcessEnv): S3Source[] {
  const names = (environment.CUSTODIA_S3_SOURCES ?? '')
    .split(';')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names.map((name) => {
    if (!nameForm.test(name)) throw new ConfigError(`CUSTODIA_S3_SOURCES: found '${name}', expected small letters, digits and hyphens`);
    const demand = (key: string): string => {
      const variable = `CUSTODIA_S3_${name.toUpperCase().replaceAll('-', '_')}_${key}`;
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
