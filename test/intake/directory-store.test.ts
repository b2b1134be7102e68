/** The store survives the end of its process between any two steps. Witness: the names and bytes on the disk, and sha256sum's digest of them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { adoptionSteps, directoryStore } from '../../src/intake/directory-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'custodia-store-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256sum = (path: string): string => execFileSync('sha256sum', [path], { encoding: 'utf8' }).slice(0, 64);

function incomingFile(at: string, bytes = randomBytes(5000)) {
  const id = randomUUID();
  mkdirSync(join(at, 'incoming'), { recursive: true });
  const path = join(at, 'incoming', id);
  writeFileSync(path, bytes);
  return { id, path, bytes, sha256: sha256sum(path) };
}

const stepCount = adoptionSteps('a', 'b', 0).length;
const storeFile = join(import.meta.dirname, '..', '..', 'src', 'intake', 'directory-store.ts');

describe('adopting', () => {
  it.each(Array.from({ length: stepCount + 1 }, (_, steps) => [steps]))(
    'by a process killed after %i steps leaves nothing or a whole object',
    async (steps) => {
      const at = join(folder, `killed-${steps}`);
      const { id, path, bytes, sha256 } = incomingFile(at);
      const object = join(at, 'sha256', sha256.slice(0, 2), sha256);
      const program = `
      import { adoptionSteps } from ${JSON.stringify(storeFile)};
      for (const step of adoptionSteps(${JSON.stringify(path)}, ${JSON.stringify(object)}, 5000).slice(0, ${steps})) await step();
      process.kill(process.pid, 'SIGKILL');`;
      const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', program]);
      expect(signal).toBe('SIGKILL');
      if (existsSync(object)) expect([sha256sum(object), statSync(object).mode & 0o777]).toEqual([sha256, 0o444]);
      else expect(readFileSync(path).equals(bytes)).toBe(true);

      const store = directoryStore(at);
      await store.adopt(id, sha256, 5000);
      expect([sha256sum(object), statSync(object).mode & 0o777, statSync(object).nlink]).toEqual([sha256, 0o444, 1]);
      expect(readdirSync(join(at, 'incoming'))).toEqual([]);
      await store.adopt(id, sha256, 5000); // once more is as good as once
      expect(sha256sum(object)).toBe(sha256);
    },
  );

  it('never writes over an object, and gives the same content one file', async () => {
    const at = join(folder, 'twice');
    const store = directoryStore(at);
    const first = incomingFile(at);
    await store.adopt(first.id, first.sha256, 5000);
    const before = statSync(store.objectPath(first.sha256), { bigint: true });
    const second = incomingFile(at, first.bytes);
    await store.adopt(second.id, second.sha256, 5000);
    const after = statSync(store.objectPath(first.sha256), { bigint: true });
    expect([after.ino, after.ctimeNs, after.mtimeNs]).toEqual([before.ino, before.ctimeNs, before.mtimeNs]);
    expect(readdirSync(join(at, 'incoming'))).toEqual([]);
  });

  it('refuses an object of another size under the digest, and keeps what came in', async () => {
    const at = join(folder, 'damaged');
    const store = directoryStore(at);
    const { id, sha256, path } = incomingFile(at);
    mkdirSync(join(at, 'sha256', sha256.slice(0, 2)), { recursive: true });
    writeFileSync(store.objectPath(sha256), 'cut off');
    await expect(store.adopt(id, sha256, 5000)).rejects.toMatchObject({
      code: 'store.damaged',
      message: expect.stringContaining('7 bytes'),
    });
    expect(sha256sum(path)).toBe(sha256);
  });
});

it.each(['..', '../../etc/passwd', 'a/b', '', 'A'.repeat(64), `${'a'.repeat(63)}/`])('puts no foreign text into a path: %j', (text) => {
  const store = directoryStore(folder);
  expect(() => store.objectPath(text)).toThrow(TypeError);
  expect(() => store.incomingPath(text)).toThrow(TypeError);
});
