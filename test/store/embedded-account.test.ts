/** Under which account the embedded server runs and where its files then lie. Witness: the owner that the kernel shows. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isReachable } from '../../src/store/embedded/account.ts';
import { openEmbedded } from '../../src/store/embedded.ts';
import { hasTool } from '../support/tools.ts';

const log = pino({ level: 'silent' });
const isRoot = process.getuid?.() === 0;
const face = join(import.meta.dirname, '../../src/store/embedded.ts');
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'custodia-account-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const postmasterOf = (cluster: string) => {
  const pid = readFileSync(join(cluster, 'postmaster.pid'), 'utf8').split('\n')[0];
  return { uid: Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) };
};

describe.skipIf(!isRoot)('started by root', () => {
  it('runs as another account, which may pass the data folder but not list it', async () => {
    const server = await openEmbedded({ dataFolder: folder, log });
    const cluster = join(folder, 'database', 'cluster');
    const { uid } = postmasterOf(cluster);
    expect(uid).not.toBe(0);
    expect(statSync(cluster).uid).toBe(uid);
    expect(statSync(folder).mode & 0o777).toBe(0o710);
    expect(statSync(join(folder, 'database', 'password'))).toMatchObject({ uid: 0, mode: 0o100600 });
    await server.close();
  });

  it('runs as the owner of the data folder where that is an ordinary account', async () => {
    const uid = Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' }));
    chownSync(folder, uid, 0);
    const server = await openEmbedded({ dataFolder: folder, log });
    expect(postmasterOf(join(folder, 'database', 'cluster')).uid).toBe(uid);
    await server.close();
  });

  it('puts the cluster into /var/lib where that account cannot get to the data folder, and finds it there again', async () => {
    const closed = join(folder, 'closed');
    const dataFolder = join(closed, 'data');
    mkdirSync(dataFolder, { recursive: true });
    chmodSync(closed, 0o700);
    const server = await openEmbedded({ dataFolder, log });
    const cluster = readFileSync(join(dataFolder, 'database', 'location'), 'utf8').trim();
    try {
      expect(cluster).toMatch(/^\/var\/lib\/custodia\/[0-9a-f]{16}\/cluster$/);
      expect(statSync(closed).mode & 0o777).toBe(0o700);
      await server.close();
      chmodSync(closed, 0o755);
      const again = await openEmbedded({ dataFolder, log });
      expect(existsSync(join(cluster, 'postmaster.pid'))).toBe(true);
      await again.close();
    } finally {
      rmSync(dirname(cluster), { recursive: true, force: true });
    }
  });
});

const nobodyCanRun =
  isRoot &&
  hasTool('setpriv') &&
  isReachable(process.execPath, { uid: 65534, gid: 65534 }) &&
  isReachable(dirname(face), { uid: 65534, gid: 65534 });

describe.skipIf(!nobodyCanRun)('started by an ordinary account, with setpriv', () => {
  const asNobody = (script: string) =>
    spawnSync('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, '--input-type=module', '-e', script], {
      encoding: 'utf8',
      cwd: join(import.meta.dirname, '..', '..'),
    });
  const open = (dataFolder: string) => `
    import { pino } from 'pino';
    import { openEmbedded } from ${JSON.stringify(face)};
    import { readFileSync } from 'node:fs';
    const server = await openEmbedded({ dataFolder: ${JSON.stringify(dataFolder)}, log: pino({ level: 'silent' }) });
    const [pid] = readFileSync(${JSON.stringify(join(dataFolder, 'database/cluster/postmaster.pid'))}, 'utf8').split('\\n');
    console.log(/^Uid:\\s+(\\d+)/m.exec(readFileSync('/proc/' + pid + '/status', 'utf8'))[1]);
    await server.close();`;

  it('runs as that account', () => {
    chownSync(folder, 65534, 65534);
    const { stdout, stderr } = asNobody(open(folder));
    expect({ stdout, stderr }).toEqual({ stdout: '65534\n', stderr: '' });
  });

  it("says so when the folder is another account's", () => {
    chmodSync(folder, 0o755);
    expect(asNobody(open(folder)).stderr).toContain("code: 'database.folder'");
  });
});
