/** What `ewfinfo` says of an image, field by field against what our reader says. */
import { expect } from 'vitest';
import { type Acquisition, type Image } from '../../src/evidence/image.ts';

/** Its lines, by the words before the colon. */
export type InfoFields = Readonly<Record<string, string>>;

const textFields: Readonly<Record<string, keyof Acquisition>> = {
  'Case number': 'caseNumber',
  'Evidence number': 'evidenceNumber',
  Description: 'description',
  'Examiner name': 'examiner',
  Notes: 'notes',
  'Operating system used': 'operatingSystem',
  'Software version used': 'toolVersion',
  Model: 'model',
  'Serial number': 'serialNumber',
  'Set identifier': 'setIdentifier',
};

/** Formats without a full volume section: ewfinfo shows these as if they said zero. */
const untold = (image: Image): boolean => image.acquisition.mediaType === undefined;

export function parseInfo(text: string): InfoFields {
  const fields: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const parts = /^\t([^:\t][^:]*):\t*(.*)$/.exec(line);
    if (parts !== null && !(parts[1]! in fields)) fields[parts[1]!] = parts[2]!.trim();
  }
  return fields;
}

/** `ewfinfo 20140813 -d ctime` with TZ=UTC; its own lines are the expected values. */
export function expectFacts(image: Image, info: InfoFields): void {
  const { acquisition, storedHashes } = image;
  for (const [field, key] of Object.entries(textFields)) {
    // ewfinfo shows what does not fit its code page as U+001A
    const found = acquisition[key] as string | undefined;
    const shown = info[field];
    if (shown?.includes('\x1a')) expect(found).toMatch(new RegExp(`^${escaped(shown).replaceAll('\x1a', '.')}$`));
    else expect(found, field).toBe(shown);
  }
  if (info['Acquisition date'] !== undefined) expect(secondsOf(acquisition.acquired)).toBe(secondsOf(info['Acquisition date']));
  if (info['System date'] !== undefined) expect(secondsOf(acquisition.systemDate)).toBe(secondsOf(info['System date']));
  expect(image.media.size).toBe(Number(/\((\d+) bytes\)/.exec(info['Media size'] ?? '')?.[1] ?? info['Media size']));
  expect(image.sectorSize).toBe(Number(info['Bytes per sector']));
  expect(image.chunks!.chunkSize).toBe(Number(info['Sectors per chunk']) * Number(info['Bytes per sector']));
  if (untold(image)) expect(acquisition.compression).toBeUndefined();
  else {
    expect(acquisition.mediaType).toBe(info['Media type']);
    expect(acquisition.compression).toBe(info['Compression level']);
  }
  const values = (algorithm: string) => [...new Set(storedHashes.filter((hash) => hash.algorithm === algorithm).map(({ value }) => value))];
  expect(values('md5')).toEqual(info.MD5 === undefined ? [] : [info.MD5]);
  expect(values('sha1')).toEqual(info.SHA1 === undefined ? [] : [info.SHA1]);
}

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** `Thu Jul 15 06:04:47 2010`, `2010-07-15T06:04:47Z`: the same moment, read as UTC. */
function secondsOf(text: string | undefined): number {
  if (text === undefined) return Number.NaN;
  const plain = text.replace(' (zone not recorded)', '').replace(/ UTC$/, '');
  return Date.parse(/Z$/.test(plain) ? plain : `${plain}${/^\d/.test(plain) ? 'Z' : ' UTC'}`) / 1000;
}
