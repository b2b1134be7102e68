/** A password or token from whoever starts the command: typed unseen at a terminal, or the first line of standard input. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

export async function readSecretInput(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = stdin.isTTY === true;
  if (terminal) stderr.write(`${prompt}: `);
  const lines = createInterface({ input: stdin, output: silent, terminal });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
    if (terminal) stderr.write('\n');
  }
}
