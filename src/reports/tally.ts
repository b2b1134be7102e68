/** What a catalogue amounts to: counts by kind, type and volume, and the entries that a reader should see first. */
import { type CatalogueTally, type NotableGroup, type VolumeTally } from '../evidence/task.ts';
import { type CatalogueRecord } from './csv.ts';

/** Shown of each group; the total is counted. */
const shownOfGroup = 50;
/** Types beyond these are counted together. */
const shownTypes = 200;

export interface Tally {
  add(record: CatalogueRecord): void;
  result(): CatalogueTally;
}

/** `volumes`: locators of the volumes whose files were listed. Records must come in the order of the catalogue: the first of each group are shown. */
export function createTally(volumes: readonly string[]): Tally {
  const counts = { files: 0, deleted: 0, bytes: 0 };
  const byType = new Map<string, number>();
  const byMediaType = new Map<string, number>();
  const perVolume = new Map(volumes.map((locator) => [locator, { entries: 0, files: 0, deleted: 0 }]));
  const holderOf = volumeFinder(volumes);
  const notable = groups.map(() => ({ total: 0, entries: [] as NotableGroup['entries'][number][] }));
  return {
    add(record) {
      const isFile = record.type === 'file';
      const isDeleted = !isAllocated(record);
      const mine = perVolume.get(holderOf(record.locator) ?? '');
      for (const target of mine === undefined ? [counts] : [counts, mine]) {
        if (isFile) target.files++;
        if (isDeleted) target.deleted++;
      }
      if (mine !== undefined) mine.entries++;
      if (record.digests !== undefined) counts.bytes += record.contentSize ?? record.size;
      count(byType, record.type);
      if (isFile && record.mediaType !== undefined) count(byMediaType, record.mediaType);
      groups.forEach((group, index) => {
        const note = group.note(record);
        if (note === null) return;
        const kept = notable[index]!;
        const { locator, path, size } = record;
        if (kept.total++ < shownOfGroup) kept.entries.push({ locator, path, size, note });
      });
    },
    result: () => ({
      ...counts,
      byType: Object.fromEntries([...byType].sort(([a], [b]) => (a < b ? -1 : 1))),
      byMediaType: mostFrequent(byMediaType),
      volumes: [...perVolume].map(([locator, found]): VolumeTally => ({ locator, ...found })),
      notable: groups.flatMap(({ why }, index) => (notable[index]!.total === 0 ? [] : [{ why, ...notable[index]! }])),
    }),
  };
}

const isAllocated = ({ allocated }: CatalogueRecord): boolean => allocated.name && allocated.metadata;
const hasProblem = ({ problems }: CatalogueRecord, code: string): boolean => problems?.includes(code) === true;

/** In the order of the report. `note` gives null for what does not belong. */
const groups: readonly { readonly why: string; note(record: CatalogueRecord): string | null }[] = [
  {
    why: 'Content does not match the name’s extension',
    note: (record) => (hasProblem(record, 'type.mismatch') ? `content is ${record.mediaType ?? 'unknown'}` : null),
  },
  {
    why: 'Deleted files whose content could be read',
    note: (record) =>
      record.type === 'file' && !isAllocated(record) && record.digests !== undefined && (record.contentSize ?? record.size) > 0
        ? (record.mediaType ?? 'unknown')
        : null,
  },
  {
    why: 'Encrypted: recognised, not opened',
    note: (record) => {
      const found = record.facts?.encrypted === true || hasProblem(record, 'zip.encrypted') || hasProblem(record, 'ext.encrypted');
      return found ? (record.mediaType ?? record.type) : null;
    },
  },
  {
    why: 'Pictures that name a place',
    note({ facts }) {
      const [latitude, longitude] = [facts?.['exif.latitude'], facts?.['exif.longitude']];
      if (typeof latitude !== 'number' || typeof longitude !== 'number') return null;
      return `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
    },
  },
  {
    why: 'Names that deceive or cannot be shown as they are',
    note: (record) => {
      const codes = ['name.deceptive', 'name.not-unicode', 'zip.name-unsafe'].filter((code) => hasProblem(record, code));
      return codes.length === 0 ? null : codes.join(' ');
    },
  },
];

/** Records come in order, so the volume is mostly that of the record before. */
function volumeFinder(volumes: readonly string[]): (locator: string) => string | null {
  const longestFirst = [...volumes].sort((a, b) => b.length - a.length);
  let last: string | null = null;
  return (locator) => {
    if (last !== null && locator.startsWith(`${last}/`)) return last;
    last = longestFirst.find((volume) => locator.startsWith(`${volume}/`)) ?? null;
    return last;
  };
}

const count = (counts: Map<string, number>, key: string): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

function mostFrequent(counts: ReadonlyMap<string, number>): CatalogueTally['byMediaType'] {
  const sorted = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([mediaType, total]) => ({ mediaType, count: total }));
  const rest = sorted.slice(shownTypes).reduce((sum, { count: more }) => sum + more, 0);
  return [...sorted.slice(0, shownTypes), ...(rest > 0 ? [{ mediaType: 'others', count: rest }] : [])];
}
