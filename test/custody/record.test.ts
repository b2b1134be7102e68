/** The custody table and what it lacks, and the times of the record. Witness: calculated by hand, beside each case; RFC 9557 section 4 for the form of times. */
import { describe, expect, it } from 'vitest';
import { type ChainedEvent, type EventType } from '../../src/custody/event.ts';
import { custodyGaps, custodyTable } from '../../src/custody/gaps.ts';
import { utcTime, zonedTime } from '../../src/custody/time.ts';

/** Events of these types, a minute apart, the first at 09:00. */
const chain = (...types: EventType[]): ChainedEvent[] =>
  types.map((type, seq) => ({
    exhibit: { case: 'c', label: 'l' },
    type,
    actor: { name: 'J. Doe', role: 'examiner', authenticator: 'stated' },
    occurredAt: `2026-11-24T10:0${seq}:00.000+01:00[Europe/Paris]`,
    recordedAt: `2026-11-24T09:0${seq}:00.000Z`,
    clock: { source: 'system', uncertaintyMs: 500 },
    place: { host: 'lab-1' },
    why: { text: `reason ${seq}` },
    how: { procedure: 'custodia', version: '0.1.0' },
    digests: [],
    alteration: null,
    seq,
    prev: null,
  }));

describe('gaps', () => {
  it('none while the laboratory holds what it received', () => {
    expect(custodyGaps(chain('received', 'processed', 'verified', 'accessed', 'exported'))).toEqual([]);
    expect(custodyGaps([])).toEqual([]);
    expect(custodyGaps(chain('received', 'transferred'))).toEqual([]);
    expect(custodyGaps(chain('received', 'transferred', 'received', 'processed'))).toEqual([]);
  });
  it('what came before the first event, where that is no receipt', () => {
    expect(custodyGaps(chain('processed', 'verified'))).toEqual([expect.objectContaining({ kind: 'gap', afterSeq: -1 })]);
  });
  it('from what was handed on (09:01) to work on it (09:02) nobody holds it', () => {
    expect(custodyGaps(chain('received', 'transferred', 'processed', 'verified'))).toEqual([
      {
        kind: 'gap',
        afterSeq: 1,
        message: 'from 2026-11-24T09:01:00.000Z to 2026-11-24T09:02:00.000Z nobody is recorded as holding the exhibit',
      },
    ]);
  });
  it('handed on twice', () => {
    expect(custodyGaps(chain('received', 'released', 'disposed'))).toEqual([expect.objectContaining({ kind: 'overlap', afterSeq: 1 })]);
  });
  it('a clock that steps back ten minutes is told of; the order stays that of the sequence', () => {
    const events = chain('received', 'processed', 'verified');
    const stepped = events.with(1, { ...events[1]!, recordedAt: '2026-11-24T08:50:00.000Z' });
    expect(custodyGaps(stepped)).toEqual([expect.objectContaining({ kind: 'clock', afterSeq: 0 })]);
    expect(custodyTable(stepped).map(({ seq }) => seq)).toEqual([0, 1, 2]);
  });
});

it('the table says who did what, where and when', () => {
  const [received, accessed] = chain('received', 'accessed');
  const looked = { how: 'cat', locator: 'image:/mbr:1/fat:7', examination: 'e' };
  expect(custodyTable([received!, { ...accessed!, looked }])).toEqual([
    expect.objectContaining({ seq: 0, type: 'received', actor: 'J. Doe', role: 'examiner', place: 'lab-1', what: 'reason 0' }),
    expect.objectContaining({ seq: 1, type: 'accessed', what: 'cat image:/mbr:1/fat:7', recordedAt: '2026-11-24T09:01:00.000Z' }),
  ]);
});

describe('times', () => {
  const moment = new Date(Date.UTC(2026, 10, 20, 8, 1, 0, 7));
  it('UTC with milliseconds (RFC 3339)', () => expect(utcTime(moment)).toBe('2026-11-20T08:01:00.007Z'));
  it.each([
    [60, 'Europe/Paris', '2026-11-20T09:01:00.007+01:00[Europe/Paris]'],
    [-210, 'America/St_Johns', '2026-11-20T04:31:00.007-03:30[America/St_Johns]'],
    [345, 'Asia/Kathmandu', '2026-11-20T13:46:00.007+05:45[Asia/Kathmandu]'],
    [0, 'UTC', '2026-11-20T08:01:00.007+00:00[UTC]'],
    [-660, 'Pacific/Niue', '2026-11-19T21:01:00.007-11:00[Pacific/Niue]'],
  ])('%i minutes from UTC in %s', (offset, zone, expected) => {
    expect(zonedTime(moment, offset, zone)).toBe(expected);
    expect(new Date(expected.slice(0, expected.indexOf('['))).getTime()).toBe(moment.getTime());
  });
  it("this machine's own zone names the same moment", () => {
    const text = zonedTime(moment);
    expect(new Date(text.slice(0, text.indexOf('['))).getTime()).toBe(moment.getTime());
  });
});
