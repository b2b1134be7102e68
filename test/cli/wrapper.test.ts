/** `bin/custodia.cjs` under an older Node: it hands over to the Node 24 that came with the package, and passes on how that ended. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { follow, processesIn } from './custodia.ts';

const program = join(import.meta.dirname, '..', '..', 'bin', 'custodia.cjs');
const version = (node: string): number =>
  Number(/^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1] ?? 0);
const older = ['/usr/bin/node', '/usr/local/bin/node'].find((node) => version(node) >= 20 && version(node) < 24);

describe.skipIf(older === undefined)('the command under an older Node of the system', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'custodia-wrapper-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('runs under Node 24', () => {
    const out = execFileSync(older!, [program, 'doctor', '--data', join(folder, 'data'), '--json'], { cwd: folder, encoding: 'utf8' });
    expect(JSON.parse(out).findings[0]).toMatchObject({ what: 'node', state: 'ok', text: expect.stringMatching(/^2[4-9]\./) });
  });

  it('ends with the status of the command', () => {
    const refused = spawnSync(older!, [program, 'verify', 'nowhere'], { cwd: folder, encoding: 'utf8' });
    expect([refused.status, refused.stderr]).toEqual([3, expect.stringContaining('[report.not-found]')]);
  });

  it('passes SIGTERM on, and leaves nothing running', async () => {
    const args = [program, 'serve', '--port', '0', '--data', join(folder, 'served')];
    const running = follow(spawn(older!, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] }));
    await running.until('serving on');
    running.process.kill('SIGTERM');
    const { status, stderr } = await running.ended;
    expect([status, stderr]).toEqual([0, '']);
    expect(processesIn(folder)).toEqual([]);
  });
});
