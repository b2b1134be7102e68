/** How far examinations have come: what the unit table tells, and what this process's threads are doing right now. */
import { type Pool } from 'pg';
import { type UnitProgress } from '../pipeline/run-unit.ts';
import { readExamination } from '../store/examinations.ts';
import { countUnits, type UnitCount, unitsOf } from '../store/units.ts';
import { type ProgressState } from './progress.ts';

export interface Tracker {
  readonly onProgress: (progress: UnitProgress) => void;
  look(): Promise<{ state: ProgressState; open: boolean }>;
}

export function createTracker(database: Pool, examinations: readonly string[]): Tracker {
  const underWay = new Map<string, { kind: string; bytes: number; files: number }>();
  const mediaSizes = new Map<string, number>(); // asked for until they are known: the results that tell them may be large
  return {
    onProgress({ unitId, kind, bytes, files, ended }) {
      const known = underWay.get(unitId) ?? { kind, bytes: 0, files: 0 };
      if (ended) underWay.delete(unitId);
      else underWay.set(unitId, { kind, bytes: known.bytes + bytes, files: known.files + files });
    },
    async look() {
      const all = await Promise.all(examinations.map((id) => lookAt(database, id, mediaSizes)));
      const now = [...underWay.values()];
      const sum = (kind: string, what: 'bytes' | 'files') =>
        now.filter((unit) => unit.kind === kind).reduce((total, unit) => total + unit[what], 0);
      const hashed = all.reduce((total, one) => total + one.hashed, 0) + sum('hash-media', 'bytes');
      const state: ProgressState = {
        stage: stageOf(all),
        hashed,
        hashTotal: total(all.map(({ hashTotal }) => hashTotal)),
        files: all.reduce((count, one) => count + one.files, 0) + sum('examine-files', 'files'),
        filesTotal: total(all.map(({ filesTotal }) => filesTotal)),
        fileBytes: all.reduce((bytes, one) => bytes + one.fileBytes, 0) + sum('examine-files', 'bytes'),
      };
      return { state, open: all.some(({ open }) => open) };
    },
  };
}

interface Look extends Omit<ProgressState, 'stage'> {
  readonly open: boolean;
  readonly concluding: boolean;
  readonly listing: boolean;
}

async function lookAt(database: Pool, id: string, mediaSizes: Map<string, number>): Promise<Look> {
  const [found, counts, first] = await Promise.all([
    readExamination(database, id),
    countUnits(database, id),
    mediaSizes.has(id) ? [] : unitsOf(database, id, ['survey', 'hash-media']),
  ]);
  const status = found?.examination.status;
  const mediaSize = mediaSizes.get(id) ?? mediaSizeOf(first.map(({ result }) => result));
  if (mediaSize !== null) mediaSizes.set(id, mediaSize);
  const of = (kind: string, statuses: readonly string[]) => counts.filter((row) => row.kind === kind && statuses.includes(row.status));
  const sum = (rows: readonly UnitCount[], what: 'files' | 'bytes' | 'units') => rows.reduce((all, row) => all + row[what], 0);
  const hashing = sum(of('hash-media', ['open']), 'units') > 0;
  const listing = sum(of('survey', ['open']), 'units') + sum(of('list-files', ['open']), 'units') > 0;
  const ended = of('examine-files', ['done', 'quarantined']);
  return {
    open: status === 'open' || status === 'concluding',
    concluding: status === 'concluding',
    listing,
    hashed: hashing ? 0 : (mediaSize ?? 0),
    hashTotal: mediaSize,
    files: sum(ended, 'files'),
    filesTotal: listing ? null : sum(of('examine-files', ['open', 'done', 'quarantined']), 'files'),
    fileBytes: sum(ended, 'bytes'),
  };
}

function mediaSizeOf(results: readonly unknown[]): number | null {
  for (const result of results) {
    const size = (result as { mediaSize?: number } | null)?.mediaSize;
    if (typeof size === 'number') return size;
  }
  return null;
}

const total = (values: readonly (number | null)[]): number | null =>
  values.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0 as number | null);

function stageOf(all: readonly Look[]): string {
  if (all.every(({ open }) => !open)) return 'done';
  if (all.some(({ listing }) => listing)) return 'listing';
  return all.every(({ open, concluding }) => !open || concluding) ? 'concluding' : 'examining';
}
