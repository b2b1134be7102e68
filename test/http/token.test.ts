import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { apiToken } from '../../src/http/token.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-token-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('is made once, whoever comes at the same time, and kept', async () => {
  const keys = join(folder, 'keys');
  const tokens = await Promise.all(Array.from({ length: 8 }, () => apiToken(keys)));
  expect(new Set(tokens.map(({ token }) => token)).size).toBe(1);
  expect((await apiToken(keys)).token).toBe(tokens[0]!.token);
  expect(readdirSync(keys)).toEqual(['api.token']);
  expect([statSync(keys).mode & 0o777, statSync(join(keys, 'api.token')).mode & 0o777]).toEqual([0o700, 0o600]);
});

it('that others may read is refused', async () => {
  const { path } = await apiToken(folder);
  chmodSync(path, 0o644);
  await expect(apiToken(folder)).rejects.toThrow(/token\.permissions: .* has mode 644, expected 600/);
});

it.each(['', 'x', 'a'.repeat(63)])('that is none is refused: %j', async (text) => {
  writeFileSync(join(folder, 'api.token'), text, { mode: 0o600 });
  await expect(apiToken(folder)).rejects.toThrow(/token\.form/);
});
