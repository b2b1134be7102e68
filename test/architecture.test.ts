/** The house as drawn in docs/ARCHITECTURE.md: floors, two towers, sizes, no barrels. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Folders (or single files) of src and workers, with the floor each stands on. A file imports its own folder and lower floors. */
const floors: Record<string, number> = {
  access: 0,
  bytes: 0,
  custody: 0,
  'config.ts': 0,
  'telemetry.ts': 0,
  evidence: 1,
  images: 2,
  volumes: 2,
  filesystems: 2,
  archives: 2,
  extractors: 2,
  store: 2,
  'formats.ts': 3,
  examine: 4,
  intake: 4,
  pipeline: 4,
  reports: 4,
  sharing: 4,
  workers: 5,
  queue: 5,
  client: 6,
  'installation.ts': 6,
  http: 7,
  cli: 7,
  'serve.ts': 8,
  'work.ts': 8,
};

const left = new Set([
  'bytes',
  'evidence',
  'images',
  'volumes',
  'filesystems',
  'archives',
  'extractors',
  'formats.ts',
  'examine',
  'workers',
]);
const right = new Set([
  'access',
  'custody',
  'store',
  'intake',
  'pipeline',
  'reports',
  'sharing',
  'queue',
  'installation.ts',
  'client',
  'http',
  'cli',
  'serve.ts',
  'work.ts',
]);

const allFiles = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith('.ts') && statSync(path).isFile());

const sourceFiles = [...allFiles(join(root, 'src')), ...allFiles(join(root, 'workers'))];

/** `src/filesystems/fat/x.ts` is in `filesystems`; `src/formats.ts` is itself. */
function placeOf(path: string): string {
  const parts = relative(root, path).split('/');
  return parts[0] === 'workers' ? 'workers' : parts[1]!;
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typesOnly: boolean;
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const found: Import[] = [];
  for (const [, names, specifier] of text.matchAll(/^(?:import|export)\s+([^;'"]*?)\s*from\s*'(\.[^']+)';/gms)) {
    const listed = names!
      .replace(/^type\s+/, 'type ')
      .replace(/[{}]/g, '')
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    const typesOnly = names!.startsWith('type ') || listed.every((name) => name.startsWith('type '));
    found.push({ from: path, to: resolve(dirname(path), specifier!), typesOnly });
  }
  for (const [, specifier] of text.matchAll(/import\('(\.[^']+)'\)/g))
    found.push({ from: path, to: resolve(dirname(path), specifier!), typesOnly: false });
  return found;
}

const imports = sourceFiles.flatMap(importsOf);
const show = ({ from, to }: Import) => `${relative(root, from)} -> ${relative(root, to)}`;

describe('the house', () => {
  it('knows every folder', () => {
    expect([...new Set(sourceFiles.map(placeOf))].filter((place) => !(place in floors))).toEqual([]);
  });

  it('imports its own folder and lower floors only', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [here, there] = [placeOf(from), placeOf(to)];
      return here !== there && floors[there]! >= floors[here]!;
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('keeps the formats of one floor apart from each other', () => {
    const formats = ['images', 'volumes', 'filesystems', 'archives', 'extractors'];
    const wrong = imports.filter(({ from, to }) => {
      const [a, b] = [relative(root, from).split('/'), relative(root, to).split('/')];
      if (a[0] !== 'src' || b[0] !== 'src' || !formats.includes(a[1]!) || a[1] !== b[1]) return false;
      const face = (parts: string[]) => parts[2]!.replace(/\.ts$/, '');
      return face(a) !== face(b);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('never lets the left tower import the right', () => {
    const wrong = imports.filter(({ from, to }) => left.has(placeOf(from)) && right.has(placeOf(to)) && placeOf(from) !== 'workers');
    expect(wrong.map(show)).toEqual([]);
  });

  it('lets the right tower take only types from the left, and those from evidence', () => {
    const wrong = imports.filter(({ from, to, typesOnly }) => {
      if (!right.has(placeOf(from)) || !left.has(placeOf(to))) return false;
      return !(typesOnly && placeOf(to) === 'evidence');
    });
    expect(wrong.map(show)).toEqual([]);
  });

  it('lets one thread entry file reach a pure part of the right tower: the sealing of the catalogue, over files of our own', () => {
    const reaching = imports.filter(({ from, to }) => placeOf(from) === 'workers' && right.has(placeOf(to)));
    expect(reaching.map(show)).toEqual(['workers/seal-catalogue.ts -> src/reports/catalogue.ts']);
  });

  it('keeps BullMQ in queue/ and the database out of the left tower', () => {
    const uses = (path: string, name: string) => new RegExp(`from '${name}['/]`).test(readFileSync(path, 'utf8'));
    expect(sourceFiles.filter((path) => uses(path, 'bullmq') && placeOf(path) !== 'queue').map((path) => relative(root, path))).toEqual([]);
    for (const name of ['pg', 'kysely', 'fastify', 'node:net', 'node:http', 'ioredis']) {
      expect(sourceFiles.filter((path) => left.has(placeOf(path)) && uses(path, name)).map((path) => relative(root, path))).toEqual([]);
    }
  });

  it('has no barrels and no long files', () => {
    expect(sourceFiles.filter((path) => path.endsWith('/index.ts'))).toEqual([]);
    const long = [...sourceFiles, ...allFiles(join(root, 'test'))].filter((path) => readFileSync(path, 'utf8').split('\n').length > 450);
    expect(long.map((path) => relative(root, path))).toEqual([]);
  });

  it('says in one sentence what each file is', () => {
    const silent = sourceFiles.filter((path) => !readFileSync(path, 'utf8').startsWith('/** '));
    expect(silent.map((path) => relative(root, path))).toEqual([]);
  });
});
