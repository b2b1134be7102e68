/**
 * The chain of events: whatever is changed, dropped, swapped, put in or put twice is noticed. Witness: the digests and signatures are made and
 * checked by hand in `by hand`; every other test changes one thing of a chain that is sound.
 */
import { createHash, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type ChainHead, lineDigest, readChain, sealNext } from '../../src/custody/chain.ts';
import { keyIdOf, sealEnvelope } from '../../src/custody/dsse.ts';
import { type ChainedEvent, type CustodyEvent, predicateType, statementOf, statementType } from '../../src/custody/event.ts';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const keys = new Map([[keyIdOf(publicKey), publicKey]]);
const exhibit = { case: '2026-117', label: 'A-1' };

const eventOf = (type: CustodyEvent['type'], more: Partial<CustodyEvent> = {}): CustodyEvent => ({
  exhibit,
  type,
  actor: { name: 'J. Doe', role: 'examiner', authenticator: 'stated' },
  occurredAt: '2026-11-24T10:00:00.000+01:00[Europe/Paris]',
  recordedAt: '2026-11-24T09:00:00.250Z',
  clock: { source: 'system', uncertaintyMs: 500 },
  place: { host: 'lab-1' },
  why: { text: 'image submitted for examination' },
  how: { procedure: 'custodia', version: '0.1.0' },
  digests: [],
  alteration: null,
  ...more,
});

const events = [
  eventOf('received', { storage: ['/evidence/disk.raw'] }),
  eventOf('processed', { digests: [{ scope: 'media-stream', name: 'media', algorithm: 'sha256', value: 'ab'.repeat(32), point: 'H1' }] }),
  eventOf('processed', { why: { text: 'Größe, имя, 名前 and "quotes" \\ \u0000' } }),
  eventOf('verified'),
  eventOf('exported'),
];

function chainOf(list: readonly CustodyEvent[], key: KeyObject = privateKey, start: ChainHead = { seq: -1, digest: '' }): string[] {
  let head = start;
  return list.map((event) => {
    const { envelope, digest } = sealNext(head, event, key);
    head = { seq: head.seq + 1, digest };
    return envelope;
  });
}

const lines = chainOf(events);
const faultsOf = (given: readonly string[], at = exhibit, known = keys) => readChain(given, known, at).faults;

it('a sound chain has no faults, and each event is as it was given', () => {
  const { events: read, faults, head } = readChain(lines, keys, exhibit);
  expect(faults).toEqual([]);
  expect(read.map(({ seq, prev, ...event }) => event)).toEqual(events);
  expect(read.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4]);
  expect(head).toEqual({ seq: 4, digest: createHash('sha256').update(lines[4]!).digest('hex') });
  expect(readChain([], keys, exhibit)).toEqual({ events: [], faults: [], head: { seq: -1, digest: '' } });
});

it('by hand: sequence, digests of the lines before, signatures, subjects', () => {
  let before: string | null = null;
  for (const [index, line] of lines.entries()) {
    const { payload, signatures } = JSON.parse(line);
    const bytes = Buffer.from(payload, 'base64');
    const header = Buffer.from(`DSSEv1 28 application/vnd.in-toto+json ${bytes.length} `);
    expect(verify(null, Buffer.concat([header, bytes]), publicKey, Buffer.from(signatures[0].sig, 'base64'))).toBe(true);
    const { subject, predicate } = JSON.parse(bytes.toString('utf8'));
    expect([predicate.seq, predicate.prev?.sha256 ?? null]).toEqual([index, before]);
    const reference = createHash('sha256').update('{"case":"2026-117","label":"A-1"}').digest('hex');
    expect(subject[0]).toEqual({ name: '2026-117/A-1', digest: { sha256: reference } });
    before = createHash('sha256').update(line).digest('hex');
  }
});

describe('one line changed', () => {
  const target = 1;
  /** The line alone is looked at, as event 0 of a chain: so that it is not a later line that betrays it. */
  const [sound] = chainOf([events[target]!]);
  const line = sound!;

  it('at any of its positions, to any other class of character, is noticed on that line', () => {
    for (let at = 0; at < line.length; at++) {
      for (const to of ['A', 'z', '9', '+', '"', '=', ' ', '\\', 'é']) {
        if (line[at] === to) continue;
        const changed = line.slice(0, at) + to + line.slice(at + 1);
        if (faultsOf([changed]).length === 0) expect.unreachable(`position ${at}: ${line[at]} became ${to}, and nobody noticed`);
      }
    }
  });

  it('by one bit of any byte is noticed', () => {
    const bytes = Buffer.from(line);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (at % 7);
      expect(faultsOf([changed.toString('latin1')]).length, `byte ${at}`).toBeGreaterThan(0);
    }
  });

  it('by a character taken out or put in anywhere is noticed', () => {
    for (let at = 0; at <= line.length; at++) {
      if (at < line.length) expect(faultsOf([line.slice(0, at) + line.slice(at + 1)]).length, `without ${at}`).toBeGreaterThan(0);
      for (const added of ['A', ' ', '\t', '=']) {
        expect(faultsOf([line.slice(0, at) + added + line.slice(at)]).length, `'${added}' before ${at}`).toBeGreaterThan(0);
      }
    }
  });

  it('to another sound one is noticed on the line that names it', () => {
    const [otherwise] = chainOf([{ ...events[target]!, place: { host: 'lab-2' } }], privateKey, { seq: 0, digest: lineDigest(lines[0]!) });
    expect(faultsOf(lines.with(target, otherwise!))).toEqual([
      { line: 3, message: 'event 2: it names another event before it than the one that stands there' },
    ]);
  });
});

describe('lines moved', () => {
  it.each(lines.slice(0, -1).map((_, index) => index))('line %i taken out is noticed', (index) => {
    expect(faultsOf(lines.toSpliced(index, 1)).length).toBeGreaterThan(0);
  });
  it('the last line taken out shows in the head only: whoever knows the head compares it', () => {
    const { faults, head } = readChain(lines.slice(0, -1), keys, exhibit);
    expect(faults).toEqual([]);
    expect(head).toEqual({ seq: 3, digest: lineDigest(lines[3]!) });
  });
  it.each([0, 1, 2, 3])('line %i and the next swapped is noticed', (index) => {
    expect(faultsOf(lines.toSpliced(index, 2, lines[index + 1]!, lines[index]!)).length).toBeGreaterThan(0);
  });
  it.each([0, 1, 2, 3, 4])('line %i twice is noticed', (index) => {
    expect(faultsOf(lines.toSpliced(index, 0, lines[index]!)).length).toBeGreaterThan(0);
  });
  it.each([0, 1, 2, 3, 4, 5])('a line of the same key put in before line %i is noticed', (index) => {
    const [foreign] = chainOf([eventOf('accessed')]);
    expect(faultsOf(lines.toSpliced(index, 0, foreign!)).length).toBeGreaterThan(0);
  });
  it('an empty line is noticed', () => {
    expect(faultsOf(lines.toSpliced(2, 0, '')).map(({ line }) => line)).toContain(3);
  });
  it('a chain that was made anew from its middle on is noticed where it does not join', () => {
    const anew = chainOf([eventOf('processed'), eventOf('verified')], privateKey, { seq: 1, digest: 'cd'.repeat(32) });
    expect(faultsOf([...lines.slice(0, 2), ...anew])).toEqual([
      { line: 3, message: 'event 2: it names another event before it than the one that stands there' },
    ]);
  });
});

describe('signed, but not right', () => {
  const sealed = (statement: unknown) => sealEnvelope(statement, privateKey);
  const first: ChainedEvent = { ...events[0]!, seq: 0, prev: null };
  const refused: [string, unknown, RegExp][] = [
    ['another statement type', { ...statementOf(first), _type: 'https://in-toto.io/Statement/v0.1' }, /no custody event/],
    ['another predicate type', { ...statementOf(first), predicateType: 'https://slsa.dev/provenance/v1' }, /no custody event/],
    ['no statement', null, /./],
    ['a text', 'custody', /no custody event/],
    ['no predicate', { _type: statementType, predicateType, subject: [] }, /lacks what every custody event has/],
    ['a predicate without place', { ...statementOf(first), predicate: { ...events[0], prev: null } }, /lacks what every/],
    ['a predicate without exhibit', { ...statementOf(first), predicate: { ...first, exhibit: null } }, /lacks what every/],
    ['a list of digests that is none', { ...statementOf(first), predicate: { ...first, digests: {} } }, /lacks what every/],
    ['a digest that is none', { ...statementOf(first), predicate: { ...first, digests: [null] } }, /./],
    ['an unknown type of event', statementOf({ ...first, type: 'burnt' as never }), /'burnt' is none of the list/],
    [
      'the subject of another',
      { ...statementOf(first), subject: statementOf({ ...first, exhibit: { ...exhibit, label: 'B' } }).subject },
      /subject/,
    ],
    ['a first event that names one before', statementOf({ ...first, prev: { sha256: '' } }), /names another event before it/],
    ['a first event with number 1', statementOf({ ...first, seq: 1 }), /sequence number is 1, expected 0/],
    ['a number as text', statementOf({ ...first, seq: '0' as never }), /lacks what every/],
  ];
  it.each(refused)('%s', (_, statement, reason) => {
    const faults = faultsOf([sealed(statement)]);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults[0]!.message).toMatch(reason);
  });

  it('about another exhibit', () => {
    expect(faultsOf(lines, { ...exhibit, label: 'A-2' })).toHaveLength(5);
    expect(faultsOf(lines, { ...exhibit, case: '2026-118' })[0]!.message).toBe('event 0: it is about another exhibit');
  });
  it('by another key', () => {
    const foreign = chainOf(events, other.privateKey);
    expect(faultsOf(foreign)).toHaveLength(5);
    expect(faultsOf(lines, exhibit, new Map([[keyIdOf(publicKey), other.publicKey]]))[0]!.message).toContain('the signature does not fit');
    expect(faultsOf(lines, exhibit, new Map())).toHaveLength(5);
  });
});
