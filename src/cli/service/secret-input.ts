/** Passwords and tokens from whoever starts the command: typed unseen at a terminal, or a line of standard input for each. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

export async function readSecretInput(prompt: string): Promise<string> {
  const [secret] = await readSecretInputs([prompt]);
  return secret!;
}

/** Empty where standard input ends before. */
export async function readSecretInputs(prompts: readonly string[]): Promise<readonly string[]> {
  const { stdin, stderr } = process;
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = stdin.isTTY === true;
  const lines = createInterface({ input: stdin, output: silent, terminal });
  const next = lines[Symbol.asyncIterator]();
  const secrets: string[] = [];
  try {
    for (const prompt of prompts) {
      if (terminal) stderr.write(`${prompt}: `);
      const { value, done } = await next.next();
      if (terminal) stderr.write('\n');
      secrets.push(done === true ? '' : value);
    }
    return secrets;
  } finally {
    lines.close();
  }
}
