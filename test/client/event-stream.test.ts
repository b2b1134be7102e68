/** Reading server-sent events: HTML Living Standard, section 9.2.6, whatever the pieces in which they come. */
import { fc, it } from '@fast-check/vitest';
import { expect } from 'vitest';
import { readEvents, type ServerEvent } from '../../src/client/event-stream.ts';

async function read(pieces: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const found: ServerEvent[] = [];
  for await (const event of readEvents(pieces)) found.push(event);
  return found;
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** The examples of section 9.2.6 of the standard, with the three ends of a line, a comment, a name of an event and an unfinished one. */
const text =
  'data: YHOO\ndata: +2\ndata: 10\n\n' +
  ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n' +
  'data\n\ndata\ndata\n\n' +
  'event: end\r\nid: 7\r\ndata: {"ä":1}\r\n\r\n' +
  'data: by return\r\rdata: never finished\n';

const expected: ServerEvent[] = [
  { id: null, event: 'message', data: 'YHOO\n+2\n10' },
  { id: '1', event: 'message', data: 'first event' },
  { id: '', event: 'message', data: 'second event' },
  { id: '', event: 'message', data: ' third event' },
  { id: '', event: 'message', data: '' },
  { id: '', event: 'message', data: '\n' },
  { id: '7', event: 'end', data: '{"ä":1}' },
  { id: '7', event: 'message', data: 'by return' },
];

it('reads what the standard gives as examples', async () => {
  expect(await read([bytes(text)])).toEqual(expected);
});

it.prop([fc.array(fc.nat(bytes(text).length), { maxLength: 60 })])('reads the same in whatever pieces it comes', async (cuts) => {
  const whole = bytes(text);
  const places = [0, ...cuts.sort((a, b) => a - b), whole.length];
  const pieces = places.slice(1).map((end, index) => whole.subarray(places[index], end));
  expect(await read(pieces)).toEqual(expected);
});

it('refuses a line without end', async () => {
  const piece = bytes('x'.repeat(1024 * 1024));
  await expect(read([piece, piece, piece, piece, piece])).rejects.toMatchObject({ code: 'client.answer' });
});
