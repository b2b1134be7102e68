/** Records of the catalogue: canonical JSON, whatever the evidence holds, and rows that say the same. */
import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { safeText } from '../../src/bytes/text.ts';
import { type Member } from '../../src/evidence/archive.ts';
import { type Entry } from '../../src/evidence/file-system.ts';
import { entryLocator, entryRow, recordOfEntry, recordOfMember } from '../../src/examine/entry-record.ts';
import { readCopy } from './examined.ts';

const columns = ['locator', 'path', 'type', 'size', 'allocated', 'sha256', 'media_type', 'record'];

const entry: Entry = {
  address: '12',
  path: 'docs/a.txt',
  name: { text: 'a.txt' },
  type: 'file',
  size: 5,
  nameAllocated: true,
  metadataAllocated: true,
  times: [
    { kind: 'modified', time: { ns: 1_709_210_096_123_456_789n, resolutionNs: 1, zone: 'utc' } },
    { kind: 'created', time: { ns: 1_709_210_096_000_000_000n, resolutionNs: 2_000_000_000, zone: 'local-unknown' } },
  ],
  mode: 0o644,
  uid: 0,
  attributes: [
    { name: 'user.note', value: Buffer.from('plain') },
    { name: 'user.raw', value: Buffer.from([0, 1, 2, 255]) },
  ],
  firstOffset: 4096,
};

it('an entry of a file system, as RFC 8785 writes it', () => {
  const record = recordOfEntry(entry, entryLocator('image:/mbr:1', 'ext', '12'));
  const row = readCopy(Buffer.from(`${entryRow({ ...record, digests: { sha256: '00ff' }, mediaType: 'text/plain' })}\n`), columns)[0]!;
  // by hand: keys in order of UTF-16 units, no spaces (RFC 8785, 3.2); times: date -u -d @1709210096 gives 2024-02-29T12:34:56
  // sha256sum (coreutils 9.1) of `plain` and of the four bytes
  expect(row.record).toBe(
    '{"allocated":{"metadata":true,"name":true},"attributes":[' +
      '{"name":"user.note","sha256":"a116c9ed46d6207734a43317d30fd88f52ac8634c37d904bbf4e41d865f90475","size":5,"text":"plain"},' +
      '{"hex":"000102ff","name":"user.raw","sha256":"3d1f57c984978ef98a18378c8166c1cb8ede02c03eeb6aee7e2f121dfeee3e56","size":4}],' +
      '"digests":{"sha256":"00ff"},"locator":"image:/mbr:1/ext:12","mediaType":"text/plain","mode":420,"name":"a.txt","path":"docs/a.txt","size":5,' +
      '"times":[{"kind":"modified","resolutionNs":1,"time":"2024-02-29T12:34:56.123456789Z","zone":"utc"},' +
      '{"kind":"created","resolutionNs":2000000000,"time":"2024-02-29T12:34:56","zone":"local-unknown"}],"type":"file","uid":0}',
  );
  expect(row).toMatchObject({
    locator: 'image:/mbr:1/ext:12',
    path: 'docs/a.txt',
    type: 'file',
    size: '5',
    allocated: 't',
    sha256: '\\x00ff',
    media_type: 'text/plain',
  });
});

it('deleted in part counts as not allocated in the table, and the record tells which part', () => {
  const record = recordOfEntry({ ...entry, nameAllocated: false }, 'image:/ext:12');
  expect(record.allocated).toEqual({ name: false, metadata: true });
  expect(readCopy(Buffer.from(`${entryRow(record)}\n`), columns)[0]).toMatchObject({ allocated: 'f', sha256: null, media_type: null });
});

describe('whatever an archive claims', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\\', '\t', '\n', '"', '\0', '\ud800', '/', '\u2028', 'x') }),
  );
  const member = fc.record({
    name: text,
    size: fc.oneof(fc.nat(), fc.constant(2 ** 64), fc.constant(Number.POSITIVE_INFINITY)),
    ns: fc.bigInt(-(2n ** 80n), 2n ** 80n),
  });

  property.prop([member])('the record is JSON with its keys in order, and survives the way into the table', ({ name, size, ns }) => {
    const safe = { text: safeText(name) };
    const times = [{ kind: 'modified', time: { ns, resolutionNs: 100, zone: 'utc' } }] as const;
    const made: Member = {
      index: 0,
      name: safe,
      path: safe.text,
      type: 'file',
      claimedSize: size,
      times,
      encrypted: true,
      problems: [],
      facts: { method: 8 },
    };
    const record = recordOfMember(made, safe.text, 'image:/zip:x');
    const row = readCopy(Buffer.from(`${entryRow(record)}\n`), columns)[0]!;
    const parsed = JSON.parse(row.record!);
    expect(parsed).toEqual(JSON.parse(JSON.stringify(record)));
    expect(Object.keys(parsed)).toEqual(Object.keys(parsed).sort());
    expect(row.path).toBe(safe.text);
    expect(Number(row.size)).toBeLessThanOrEqual(Number.MAX_SAFE_INTEGER);
    expect(row.record).not.toContain('\\u0000'); // PostgreSQL refuses it in text and jsonb alike
  });
});
