/** A real S3 server of the test's own: OpenStack Swift with s3api (Debian: swift-proxy, swift-account, swift-container, swift-object), where it is installed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasTool } from './tools.ts';

export const hasSwift = hasTool('swift-proxy-server') && hasTool('swift-object-server') && hasTool('swift-ring-builder');

export interface Swift {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  close(): Promise<void>;
}

export async function openSwift(): Promise<Swift> {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-swift-'));
  mkdirSync(join(folder, 'srv', 'd1'), { recursive: true });
  const common = (port: number) =>
    `[DEFAULT]\nbind_ip = 127.0.0.1\nbind_port = ${port}\nuser = ${userInfo().username}\nswift_dir = ${folder}\nworkers = 0\nlog_level = ERROR\n`;
  const kinds = ['account', 'container', 'object'] as const;
  const children: ChildProcess[] = [];
  const start = (kind: string) =>
    children.push(
      spawn(`swift-${kind}-server`, [join(folder, `${kind}.conf`)], { stdio: 'ignore', env: { ...process.env, HOME: folder } }),
    );
  const behind: string[] = [];
  for (const kind of kinds) {
    const port = await freePort();
    behind.push(`http://127.0.0.1:${port}`);
    const ring = (...args: string[]) => execFileSync('swift-ring-builder', [join(folder, `${kind}.builder`), ...args], { stdio: 'ignore' });
    ring('create', '4', '1', '1');
    ring('add', '--region', '1', '--zone', '1', '--ip', '127.0.0.1', '--port', String(port), '--device', 'd1', '--weight', '1');
    ring('rebalance');
    const own = `devices = ${folder}/srv\nmount_check = false\ndisable_fallocate = true\n`;
    writeFileSync(
      join(folder, `${kind}.conf`),
      `${common(port)}${own}[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`,
    );
    start(kind);
  }
  const port = await freePort();
  const filters = ['catch_errors', 's3api', 'tempauth', 'slo', 'dlo'].map((name) => `[filter:${name}]\nuse = egg:swift#${name}\n`).join('');
  const cache = '[filter:cache]\nuse = egg:swift#memcache\nmemcache_servers = 127.0.0.1:1\n';
  writeFileSync(
    join(folder, 'proxy.conf'),
    `${common(port)}[pipeline:main]\npipeline = catch_errors cache s3api tempauth slo dlo proxy-server\n` +
      `[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\n${cache}` +
      filters.replace('#tempauth\n', '#tempauth\nuser_lab_reader = secret .admin\n').replace('#s3api\n', '#s3api\nlocation = us-east-1\n'),
  );
  start('proxy');
  const endpoint = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + 20_000; ; await sleep(200)) {
    // a proxy whose servers are not there yet answers 503
    const answers = await Promise.all([endpoint, ...behind].map(doesAnswer));
    if (answers.every(Boolean)) break;
    if (Date.now() > deadline) throw new Error('Swift did not start within 20 s');
  }
  return {
    ...{ endpoint, accessKeyId: 'lab:reader', secretAccessKey: 'secret' },
    async close() {
      const ended = children.map((child) => (child.exitCode === null ? new Promise((resolve) => child.once('exit', resolve)) : null));
      for (const child of children) child.kill('SIGKILL');
      await Promise.all(ended);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const doesAnswer = (address: string): Promise<boolean> =>
  fetch(address).then(
    () => true,
    () => false,
  );

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
