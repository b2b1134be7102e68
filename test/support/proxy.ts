/** A line to a server that can go dead without a word, as when a firewall forgets a connection: nothing is closed, nothing arrives any more. */
import { connect, createServer, type Socket } from 'node:net';

export interface Proxy {
  readonly port: number;
  /** All lines that stand now go dead; new ones work. */
  forget(): void;
  close(): Promise<void>;
}

export function openProxy(targetPort: number): Promise<Proxy> {
  const lines = new Set<{ ours: Socket; theirs: Socket }>();
  const server = createServer((ours) => {
    const theirs = connect(targetPort, '127.0.0.1');
    const line = { ours, theirs };
    lines.add(line);
    ours.pipe(theirs);
    theirs.pipe(ours);
    const end = () => {
      if (!lines.delete(line)) return;
      ours.destroy();
      theirs.destroy();
    };
    for (const socket of [ours, theirs]) socket.on('error', end).on('close', end);
  });
  const dead: Socket[] = [];
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({
        port: (server.address() as { port: number }).port,
        forget() {
          for (const { ours, theirs } of lines) {
            ours.unpipe(theirs);
            theirs.unpipe(ours);
            ours.pause();
            theirs.pause();
            dead.push(ours, theirs);
          }
          lines.clear();
        },
        close() {
          for (const socket of dead) socket.destroy();
          for (const { ours, theirs } of lines) {
            ours.destroy();
            theirs.destroy();
          }
          return new Promise((done) => server.close(() => done()));
        },
      });
    });
  });
}
