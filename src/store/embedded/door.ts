/** The guard's side of the holds: who knows the word may hold the server, and is told how it is. */
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GuardMessage } from './folder.ts';
import { onLines } from './lines.ts';

export interface Door {
  readonly port: number;
  announce(message: GuardMessage): void;
  /** Resolves when somebody is there to hear the announcement, or nobody came for some seconds. */
  heard(): Promise<void>;
  /** From now on nobody gets in: newcomers find the line cut, and try again. */
  refuse(): void;
  /** Ends what is still open. */
  close(): Promise<void>;
}

export interface DoorOptions {
  readonly token: string;
  readonly lingerMs: number;
  /** Nobody has held the server for `lingerMs`. */
  readonly onEmpty: () => void;
}

const firstHolderMs = 15_000;
const hearingMs = 3000;

export async function openDoor({ token, lingerMs, onEmpty }: DoorOptions): Promise<Door> {
  const holders = new Set<Socket>();
  const parting = new Set<Socket>();
  let latest: GuardMessage = { state: 'starting' };
  let refusing = false;
  let emptyTimer = setTimeout(onEmpty, firstHolderMs);

  const tell = (socket: Socket) => {
    if (socket.writable) socket.write(`${JSON.stringify(latest)}\n`);
  };

  /** One that leaves politely gets our end of the line: the last one when the server has stopped. */
  const letGo = (socket: Socket) => {
    if (!holders.delete(socket)) return;
    if (holders.size > 0 || lingerMs > 0) socket.end();
    else parting.add(socket);
    if (holders.size === 0) emptyTimer = setTimeout(onEmpty, lingerMs);
  };

  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('end', () => (holders.has(socket) ? letGo(socket) : socket.destroy()));
    socket.on('close', () => letGo(socket));
    onLines(socket, (word) => {
      if (refusing || word !== token) return void socket.destroy();
      clearTimeout(emptyTimer);
      holders.add(socket);
      tell(socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: 0, host: '127.0.0.1' }, resolve);
  });

  return {
    port: (server.address() as { port: number }).port,
    announce: (message) => {
      latest = message;
      for (const socket of holders) tell(socket);
    },
    heard: async () => {
      for (const deadline = Date.now() + hearingMs; holders.size === 0 && Date.now() < deadline; ) await sleep(20);
    },
    refuse: () => {
      refusing = true;
    },
    close: async () => {
      refusing = true;
      clearTimeout(emptyTimer);
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of [...holders, ...parting]) socket.end();
      const overdue = setTimeout(() => process.exit(), 1000);
      await closed;
      clearTimeout(overdue);
    },
  };
}
