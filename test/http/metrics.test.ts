/** /metrics. Witnesses: rows that the test writes, counted by hand; the text format of Prometheus (exposition formats, version 0.0.4). */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { metricsRoutes } from '../../src/http/routes/metrics.ts';
import { observeUnit } from '../../src/telemetry.ts';
import { insertTestExamination } from '../support/examination.ts';
import { openService, type TestService } from '../support/service.ts';

let service: TestService;
let ops: string;

beforeAll(async () => {
  service = await openService({ rootRoutes: [metricsRoutes({ ofInstallation: true })] });
  ops = (await service.person(await service.agency(), ['ops'])).token;
});
afterAll(() => service.close());

/** `name{labels}` to value; refuses lines that are none of the format. */
async function scrape(): Promise<Map<string, number>> {
  const { status, text, headers } = await service.ask('/metrics', { token: ops });
  expect([status, headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  const samples = new Map<string, number>();
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const [, name, value] = /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? [];
    expect(name, line).toBeDefined();
    samples.set(name!, Number(value));
  }
  return samples;
}

describe('/metrics', () => {
  it('counts open units, their bytes and their age, problems, examinations and what the ledger holds', async () => {
    const { database } = service.installation;
    const { examination, exhibit, unitIds } = await insertTestExamination(
      database,
      [
        { kind: 'hash-media', priority: 2, bytes: 4096 },
        { kind: 'examine-files', priority: 4, bytes: 100 },
        { kind: 'examine-files', priority: 4, bytes: 200 },
      ],
      'HIDDEN-LABEL',
    );
    await database.query(`update unit set worker_id = $2, lease_until = clock_timestamp() + interval '1 hour' where id = $1`, [
      unitIds[0],
      randomUUID(),
    ]);
    await database.query(
      `insert into problem (examination_id, unit_id, locator, code, message, hides_evidence)
       select $1, $2, 'image:/', 'x', 'm', n = 1 from generate_series(1, 3) n`,
      [examination.id, unitIds[0]],
    );
    await database.query(`insert into ledger_head (exhibit_id, seq, digest) values ($1, 6, 'x')`, [exhibit.id]); // events 0 to 6
    const samples = await scrape();
    const expected = {
      'custodia_units{kind="hash-media",state="held"}': 1,
      'custodia_units{kind="hash-media",state="waiting"}': 0,
      'custodia_units{kind="examine-files",state="waiting"}': 2,
      'custodia_units_bytes{kind="examine-files",state="waiting"}': 300,
      'custodia_examinations{status="open"}': 1,
      'custodia_problems{hides_evidence="yes"}': 1,
      'custodia_problems{hides_evidence="no"}': 2,
      custodia_ledger_events: 7,
      custodia_uploads_open: 0,
      custodia_threads: 2,
    };
    for (const [name, value] of Object.entries(expected)) expect([name, samples.get(name)]).toEqual([name, value]);
    for (const name of ['custodia_data_free_bytes', 'process_resident_memory_bytes', 'custodia_units_oldest_waiting_seconds'])
      expect([name, samples.get(name)! > 0]).toEqual([name, true]);
    for (const name of [
      'nodejs_eventloop_lag_p99_seconds',
      'custodia_database_connections{state="idle"}',
      'custodia_queue_jobs{state="waiting"}',
    ])
      expect([name, samples.has(name)]).toEqual([name, true]);
    expect([...samples.keys()].join('\n')).not.toMatch(/HIDDEN|case 7|[0-9a-f]{8}-[0-9a-f]{4}/);
    await database.query('update examination set paused_at = now() where id = $1', [examination.id]);
    const later = await scrape();
    expect(later.get('custodia_units{kind="examine-files",state="paused"}')).toBe(2);
    expect(later.get('custodia_units{kind="examine-files",state="waiting"}')).toBe(0);
    expect(later.get('custodia_units_oldest_waiting_seconds')).toBe(0);
  });

  it('has the durations of units by kind', async () => {
    await observeUnit({ id: 'u', examination_id: 'e', kind: 'survey' }, async () => false);
    const failing = observeUnit({ id: 'u', examination_id: 'e', kind: 'survey' }, async () => {
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    const samples = await scrape();
    expect(samples.get('custodia_unit_seconds_bucket{le="+Inf",kind="survey",result="ended"}')).toBe(1);
    expect(samples.get('custodia_unit_seconds_count{kind="survey",result="failed"}')).toBe(1);
    expect(samples.get('custodia_units_running{kind="survey"}')).toBe(0);
  });

  it('is for ops alone', async () => {
    const lead = await service.person(await service.agency(), ['lab-lead', 'administrator']);
    expect((await service.ask('/metrics', { token: lead.token })).status).toBe(404);
    expect((await service.ask('/metrics')).status).toBe(401);
  });
});
