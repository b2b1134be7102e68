import { describe, expect, it } from 'vitest';
import { type ChainedEvent, type EventType } from '../../src/custody/event.ts';
import { ledgerView } from '../../src/reports/ledger-view.ts';
import { accountOf } from '../../src/reports/processing.ts';

const files = [{ name: 'a.raw', size: 1, mtimeNs: '1', ctimeNs: '1', inode: '1', device: '1' }];
const minute = (at: number) => `2026-11-24T10:${String(at).padStart(2, '0')}:00.000Z`;

function event(seq: number, type: EventType, more: Partial<ChainedEvent> = {}): ChainedEvent {
  return {
    seq,
    prev: null,
    exhibit: { case: 'c', label: 'l' },
    type,
    actor: { name: 'Ann', role: 'examiner', authenticator: 'stated' },
    occurredAt: minute(seq),
    recordedAt: minute(seq),
    clock: { source: 'system', uncertaintyMs: 500 },
    place: { host: 'h' },
    why: { text: 'because' },
    how: { procedure: 'custodia', version: '1' },
    digests: [],
    alteration: null,
    ...more,
  };
}

type Step = NonNullable<ChainedEvent['step']>;

function step(seq: number, kind: string, more: Partial<Step> = {}, version = '1'): ChainedEvent {
  return event(seq, kind === 'conclude' ? 'verified' : 'processed', {
    step: {
      ...{ examination: 'e1', unit: `u${seq}`, kind, tool: { name: 'custodia', version, runtime: 'node 24', dependencies: 'd' } },
      ...{ settings: {}, worker: { host: 'h', process: seq, platform: 'linux', architecture: 'x64', isolation: 'threads' } },
      ...{ startedAt: minute(seq), endedAt: minute(seq), outcome: 'done', before: files, after: files, unchanged: true },
      ...{ counts: {}, deterministic: true as const },
      ...more,
    } as Step,
  });
}

describe('the ledger in a report', () => {
  it('leaves out batches of files that went well, counts them, and shows the others', () => {
    const events = [
      event(0, 'received', { files }),
      step(1, 'survey'),
      step(2, 'examine-files'),
      step(3, 'examine-files', { outcome: 'quarantined' }),
      step(4, 'examine-files', { unchanged: false }),
      step(5, 'conclude'),
    ];
    const view = ledgerView(events, 'head');
    expect(view.table.map(({ seq }) => seq)).toEqual([0, 1, 3, 4, 5]);
    expect([view.events, view.tableOmitted, view.head, view.gaps]).toEqual([6, 1, 'head', []]);
    expect(view.table[2]!.what).toBe('examine-files: quarantined');
  });

  it('shows five hundred lines and counts the rest', () => {
    const events = [event(0, 'received'), ...Array.from({ length: 600 }, (_, index) => ({ ...event(0, 'accessed'), seq: index + 1 }))];
    expect(ledgerView(events, '')).toMatchObject({ events: 601, tableOmitted: 101 });
  });

  it('tells of a start without a receipt, of clocks that step back, and of a time without custodian', () => {
    const gaps = (...events: ChainedEvent[]) => ledgerView(events, '').gaps.map(({ kind, afterSeq }) => [kind, afterSeq]);
    expect(gaps(event(0, 'accessed'))).toContainEqual(['gap', -1]);
    expect(gaps(event(0, 'received', { recordedAt: minute(30) }), event(1, 'accessed'))).toEqual([['clock', 0]]);
    expect(gaps(event(0, 'received'), event(1, 'transferred'), event(2, 'accessed'))).toEqual([['gap', 1]]);
    expect(gaps(event(0, 'received'), event(1, 'transferred'), event(2, 'received'))).toEqual([]);
  });
});

describe('the account of an examination', () => {
  const other = [{ ...files[0]!, name: 'b.raw' }];
  const bob = { actor: { name: 'Bob', role: 'examiner', authenticator: 'stated' } };

  it('is that of the last receipt of these files before the first step', () => {
    const events = [
      event(0, 'received', { files }),
      event(1, 'received', { files, ...bob }),
      event(2, 'received', { files: other }),
      step(3, 'survey'),
      event(4, 'received', { files }),
      step(5, 'conclude', {}, '2'),
    ];
    const account = accountOf(events, 'e1', files);
    expect([account.examiner, account.startedAt, account.concludedAt]).toEqual(['Bob', minute(1), minute(5)]);
    expect(account.processing.tools.map(({ version, steps }) => [version, steps])).toEqual([
      ['1', 1],
      ['2', 1],
    ]);
    expect(account.processing.steps).toEqual([
      { kind: 'survey', done: 1, split: 0, quarantined: 0 },
      { kind: 'conclude', done: 1, split: 0, quarantined: 0 },
    ]);
  });

  it.each([
    ['no receipt', [event(0, 'received', { files: other }), step(1, 'conclude')], /ledger\.receipt/],
    ['no conclusion', [event(0, 'received', { files }), step(1, 'survey')], /ledger\.conclusion/],
    [
      'a conclusion of another examination',
      [event(0, 'received', { files }), step(1, 'conclude', { examination: 'e2' })],
      /ledger\.conclusion/,
    ],
  ])('is refused where the ledger tells of %s', (_what, events, message) => {
    expect(() => accountOf(events, 'e1', files)).toThrow(message);
  });

  const segment = (point: 'H1' | 'H5', result?: 'equal' | 'different') => ({
    ...{ scope: 'segment' as const, name: 'a.raw', algorithm: 'sha256', value: 'v', point },
    ...(result === undefined ? {} : { result }),
  });

  it.each([
    ['equal digests', [segment('H1')], [segment('H5', 'equal')], null, 'intact'],
    ['another digest', [segment('H1')], [segment('H5', 'different')], null, 'changed'],
    ['a changed state', [segment('H1')], [segment('H5', 'equal')], { what: 'mtime' }, 'changed'],
    ['no digest at receipt', [], [segment('H5')], null, 'unknown'],
    ['no digest at the end', [segment('H1')], [], null, 'changed'],
  ])('calls the evidence by %s', (_what, received, concluded, alteration, expected) => {
    const hashed = { ...step(1, 'hash-media'), digests: received };
    const conclusion = { ...step(2, 'conclude'), digests: concluded, alteration };
    expect(accountOf([event(0, 'received', { files }), hashed, conclusion], 'e1', files).integrity).toBe(expected);
  });
});
