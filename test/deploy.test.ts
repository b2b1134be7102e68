/** What stands under deploy/, compose.yaml and the Dockerfile fits the program. Witnesses: PyYAML, systemd-analyze, `docker compose config`, each where it is found. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hasTool } from './support/tools.ts';

const root = join(import.meta.dirname, '..');
const inFolder = (folder: string) => readdirSync(join(root, folder)).map((name) => join(folder, name));
const yamlFiles = ['compose.yaml', ...inFolder('deploy/kubernetes')];
const unitFiles = inFolder('deploy/systemd');
const files = ['Dockerfile', ...yamlFiles, ...unitFiles];
const read = (name: string) => readFileSync(join(root, name), 'utf8');

const succeeds = (program: string, args: readonly string[]) => spawnSync(program, args, { stdio: 'ignore' }).status === 0;
const hasPyYaml = hasTool('python3') && succeeds('python3', ['-c', 'import yaml']);
const hasCompose = hasTool('docker') && succeeds('docker', ['compose', 'version']);

// biome-ignore lint/suspicious/noExplicitAny: documents of many forms
const parsed = (name: string): any[] =>
  JSON.parse(
    execFileSync(
      'python3',
      ['-c', 'import json,sys,yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))', join(root, name)],
      {
        encoding: 'utf8',
      },
    ),
  );

describe('each file of the deployment', () => {
  it.each(files)('%s names only variables that the configuration reads', (name) => {
    const config = read('src/config.ts');
    const named = [...read(name).matchAll(/\b(CUSTODIA_[A-Z_]+|DATABASE_URL|QUEUE_URL)\b/g)].map(([variable]) => variable);
    expect([...new Set(named)].filter((variable) => !new RegExp(`(environment\\.|')${variable}\\b`).test(config))).toEqual([]);
  });

  it.each(['serve', 'work'])('starts %s with options that it has', (command) => {
    const help = spawnSync(process.execPath, [join(root, 'bin', 'custodia.cjs'), command, '--help'], { encoding: 'utf8' });
    const text = help.stdout + help.stderr;
    const lines = files
      .flatMap((name) => read(name).split('\n'))
      .filter((line) => new RegExp(`(custodia\\.cjs|\\[") ?${command}\\b`).test(line));
    expect(lines.length).toBeGreaterThanOrEqual(3); // compose.yaml or Dockerfile, systemd, Kubernetes
    const options = lines.flatMap((line) => line.match(/--[a-z-]+/g) ?? []);
    expect(options.length).toBeGreaterThan(0);
    expect([...new Set(options)].filter((option) => !text.includes(`${option} `))).toEqual([]);
  });

  it('copies into the image what is there', () => {
    const copied = [...read('Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) => names!.split(' '));
    expect(copied.filter((name) => !existsSync(join(root, name)))).toEqual([]);
    const letIn = read('.dockerignore').split('\n');
    expect(copied.filter((name) => !letIn.includes(`!${name}`))).toEqual([]);
    expect(read('Dockerfile')).toMatch(/^USER 10001:10001$/m);
  });
});

describe.skipIf(!hasPyYaml)('as YAML (PyYAML)', () => {
  it.each(yamlFiles)('%s is read', (name) => {
    expect(parsed(name).every((document) => typeof document === 'object' && document !== null)).toBe(true);
  });

  it('compose.yaml: service, two workers, PostgreSQL, and Redis only where it is asked for', () => {
    const [{ services }] = parsed('compose.yaml');
    expect(Object.keys(services)).toEqual(['service', 'worker', 'postgres', 'redis']);
    expect([services.worker.deploy.replicas, services.redis.profiles]).toEqual([2, ['redis']]);
    for (const one of [services.service, services.worker]) {
      expect(one.volumes.filter((volume: string) => volume.includes(':/evidence'))).toEqual([expect.stringMatching(/:ro$/)]);
      expect([one.read_only, one.cap_drop, one.init]).toEqual([true, ['ALL'], true]);
    }
  });

  it('Kubernetes: nobody runs as root, evidence is read-only, what is mounted is declared, what is scaled is there', () => {
    const documents = parsed('deploy/kubernetes/custodia.yaml');
    const deployments = documents.filter(({ kind }) => kind === 'Deployment');
    expect(deployments.map(({ metadata }) => metadata.name)).toEqual(['custodia', 'custodia-worker']);
    for (const { spec } of deployments) {
      const pod = spec.template.spec;
      expect(spec.selector.matchLabels).toEqual(spec.template.metadata.labels);
      expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
      const [container] = pod.containers;
      const volumes = pod.volumes.map((volume: { name: string }) => volume.name);
      expect(container.volumeMounts.map((mount: { name: string }) => mount.name)).toEqual(volumes);
      expect(container.volumeMounts).toContainEqual({ name: 'evidence', mountPath: '/evidence', readOnly: true });
      expect(container.securityContext).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
    }
    const [scaler] = parsed('deploy/kubernetes/keda.yaml');
    expect(scaler.spec.scaleTargetRef.name).toBe('custodia-worker');
    const metric = /custodia_[a-z_]+/.exec(scaler.spec.triggers[0].metadata.query)![0];
    expect(read('src/http/routes/metrics.ts')).toContain(`'${metric}'`);
  });
});

it.skipIf(!hasTool('systemd-analyze'))('systemd reads its units without a complaint', () => {
  const folder = mkdtempSync(join(tmpdir(), 'custodia-units-'));
  try {
    for (const name of unitFiles) {
      const text = read(name).replaceAll('/usr/bin/node', process.execPath); // it looks whether the program is there
      writeFileSync(join(folder, name.split('/').at(-1)!), text);
    }
    const names = readdirSync(folder).map((name) => name.replace('@', '@1'));
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...names], {
      cwd: folder,
      env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` },
      encoding: 'utf8',
    });
    expect([status, (stdout + stderr).split('\n').filter((line) => /custodia/.test(line))]).toEqual([0, []]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it.skipIf(!hasCompose)('docker compose reads compose.yaml', () => {
  const environment = { ...process.env, POSTGRES_PASSWORD: 'x' };
  const { status, stderr } = spawnSync('docker', ['compose', '-f', join(root, 'compose.yaml'), 'config', '--quiet'], {
    env: environment,
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
});
