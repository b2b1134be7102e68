/** A follower of server-sent events, as the HTML standard reads them (section 9.2.6, interpreting an event stream). */

export interface ReceivedEvent {
  readonly event: string;
  readonly id: string;
  // biome-ignore lint/suspicious/noExplicitAny: data of many forms
  readonly data: any;
  /** performance.now() at its arrival. */
  readonly at: number;
}

export interface EventSource {
  readonly status: number;
  readonly headers: Headers;
  readonly events: ReceivedEvent[];
  /** Comments: the heartbeat is one. */
  readonly comments: string[];
  /** Resolves when the server has ended it, true when it was cut. */
  readonly ended: Promise<boolean>;
  /** The first event, present or to come, for which `wanted` holds. */
  until(wanted: (event: ReceivedEvent) => boolean): Promise<ReceivedEvent>;
  close(): void;
}

export async function openEventSource(url: string, token: string, headers: Record<string, string> = {}): Promise<EventSource> {
  const stop = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...headers },
    signal: stop.signal,
  });
  const events: ReceivedEvent[] = [];
  const comments: string[] = [];
  const waiting = new Set<() => void>();
  let isOver = false;
  let lastId = '';

  function take(block: string): void {
    let event = 'message';
    const data: string[] = [];
    for (const line of block.split('\n')) {
      const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
      if (field === '') comments.push(value!);
      else if (field === 'event') event = value!;
      else if (field === 'id') lastId = value!;
      else if (field === 'data') data.push(value!);
    }
    if (data.length > 0) events.push({ event, id: lastId, data: JSON.parse(data.join('\n')), at: performance.now() });
  }
  async function readAll(): Promise<boolean> {
    let text = '';
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          take(text.slice(0, end));
          text = text.slice(end + 2);
        }
        for (const wake of waiting) wake();
      }
      return false;
    } catch {
      return true; // cut: by the server, or by close()
    } finally {
      isOver = true;
      for (const wake of waiting) wake();
    }
  }
  return {
    status: response.status,
    headers: response.headers,
    events,
    comments,
    ended: response.body === null ? Promise.resolve(false) : readAll(),
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = events.find(wanted);
          if (found === undefined && !isOver) return;
          waiting.delete(look);
          if (found === undefined) reject(new Error(`the stream ended after ${events.length} events without the one that was waited for`));
          else resolve(found);
        };
        waiting.add(look);
        look();
      }),
    close: () => stop.abort(),
  };
}
