/** Server-sent events (HTML Living Standard, 9.2), across lost connections: what was seen last is said when it is taken up again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from './api-error.ts';
import { type Connection } from './connection.ts';

export interface ServerEvent {
  readonly id: string | null;
  readonly event: string;
  readonly data: string;
}

/** No line of events is longer: more is no event of ours. */
const longest = 4 * 1024 * 1024;

/** The events of a text as it comes in, whatever its pieces are. An event that is not finished when the text ends is dropped. */
export async function* readEvents(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<ServerEvent, void> {
  const decoder = new TextDecoder();
  let rest = '';
  let fields = emptyFields();
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > longest) throw new ApiError(0, 'client.answer', `events: a line is longer than ${longest} characters`);
    // a carriage return at the very end may be the first half of a line's end
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line !== '') takeField(fields, line);
      else {
        if (fields.data.length > 0) yield { id: fields.id, event: fields.event || 'message', data: fields.data.join('\n') };
        fields = { ...emptyFields(), id: fields.id };
      }
    }
  }
}

interface Fields {
  id: string | null;
  event: string;
  data: string[];
}

const emptyFields = (): Fields => ({ id: null, event: '', data: [] });

function takeField(fields: Fields, line: string): void {
  const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
  if (name === 'data') fields.data.push(value);
  else if (name === 'event') fields.event = value;
  else if (name === 'id' && !value.includes('\0')) fields.id = value;
}

const patienceMs = 60_000;
const pauseMs = 500;

/** Goes on until `isLast`, whatever happens to the connection in between. Throws ApiError where the service refuses, or is away for a minute. */
export async function* followEvents(
  connection: Connection,
  where: string,
  isLast: (event: ServerEvent) => boolean,
  signal: AbortSignal,
): AsyncGenerator<ServerEvent, void> {
  let lastId: string | null = null;
  let seenAt = performance.now();
  while (true) {
    let failure: unknown = new ApiError(0, 'client.answer', `${where}: the events end before the last one`);
    try {
      const headers = { accept: 'text/event-stream', ...(lastId === null ? {} : { 'last-event-id': lastId }) };
      const response = await connection.open('GET', where, { headers, signal });
      for await (const event of readEvents(response.body ?? [])) {
        lastId = event.id ?? lastId;
        seenAt = performance.now();
        yield event;
        if (isLast(event)) return;
      }
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status !== 0 && error.status < 500)) throw error;
      failure = error;
    }
    if (performance.now() - seenAt > patienceMs) throw failure;
    await sleep(pauseMs, undefined, { signal });
  }
}
