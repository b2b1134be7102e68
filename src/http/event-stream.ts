/** One answer of server-sent events: what its follower has not taken yet is replaced by what is newer, so a slow one costs no more than a quick one. */
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type AccessWatch } from './access-watch.ts';
import { type Api } from './route.ts';

export interface StreamEvent {
  readonly event: string;
  /** Without one the follower keeps the id that it had. */
  readonly id?: string;
  readonly data: unknown;
}

export interface EventStream {
  /** Wakes the stream: `next` is asked for what there is to send. */
  wake(): void;
  end(): void;
}

export interface StreamOptions {
  readonly access: AccessWatch;
  readonly open: Set<EventStream>;
  /** What is to be sent now, and whether the stream ends with it. */
  next(): { readonly events: readonly StreamEvent[]; readonly isLast: boolean };
  /** Begins to follow; the function given back ends it. */
  follow(wake: () => void): () => void;
}

/** Resolves when the stream has ended, by either side. */
export async function streamEvents(request: FastifyRequest, reply: FastifyReply, options: StreamOptions): Promise<void> {
  const { sse } = reply;
  let wake: () => void = () => undefined;
  let isOver = false;
  const stream: EventStream = {
    wake: () => wake(),
    end() {
      isOver = true;
      wake();
    },
  };
  const gone = new Promise<void>((resolve) =>
    sse.onClose(() => {
      stream.end();
      resolve();
    }),
  );
  const stopWatch = options.access.watch(request, () => {
    stream.end();
    reply.raw.destroy(); // what it has not read by now it must not have
  });
  options.open.add(stream);
  let wanted = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const unfollow = options.follow(stream.wake);
  sse.sendHeaders();
  reply.raw.write('retry: 1000\n\n');
  try {
    while (!isOver) {
      await wanted;
      wanted = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (isOver) return;
      const { events, isLast } = options.next();
      for (const event of events) if (sse.isConnected) await Promise.race([sse.send(event), gone]);
      if (isLast) return;
    }
  } finally {
    unfollow();
    stopWatch();
    options.open.delete(stream);
  }
}

/** A server that closes waits for its answers: these would never end by themselves. */
export function endStreamsWith(api: Api, open: ReadonlySet<EventStream>): void {
  api.addHook('preClose', async () => {
    for (const stream of open) stream.end();
  });
}
