/** Lines of text from a socket. */
import { type Socket } from 'node:net';

const longest = 64 * 1024;

/** A peer that sends a longer line is cut off. */
export function onLines(socket: Socket, take: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    if (rest.length > longest) return void socket.destroy();
    for (const line of lines) take(line);
  });
}
