/** /metrics in the text format of Prometheus: of this process, and, where the whole installation is asked for, of its database and queue. */
import { Gauge, Registry } from 'prom-client';
import { roomIn } from '../../pipeline/room.ts';
import { countAllProblems, type ProblemNumbers, readInstallationNumbers } from '../../store/metrics.ts';
import { collectProcessMetrics, processMetrics } from '../../telemetry.ts';
import { type Routes, type Service } from '../route.ts';

export interface Metrics {
  /** Not for workers: the same numbers from each of them would be added up. */
  readonly ofInstallation: boolean;
}

const policy = { action: 'ops.read', about: 'installation' } as const;

export const metricsRoutes =
  ({ ofInstallation }: Metrics): Routes =>
  (api, service) => {
    collectProcessMetrics();
    const own = new Registry();
    const measure = gaugesIn(own);
    const problems = rarely(() => countAllProblems(service.installation.database));
    api.get('/metrics', { config: { policy } }, async (_request, reply) => {
      measureProcess(service, measure);
      if (ofInstallation) await measureInstallation(service, measure, await problems());
      return reply.type(own.contentType).send(await Registry.merge([processMetrics, own]).metrics());
    });
  };

type Labels = Readonly<Record<string, string>>;
type Measure = (name: string, help: string, values: readonly (readonly [labels: Labels, value: number])[]) => void;

/** Labels that are no longer told of vanish. */
function gaugesIn(registry: Registry): Measure {
  return (name, help, values) => {
    const known = registry.getSingleMetric(name) as Gauge | undefined;
    const gauge = known ?? new Gauge({ name, help, labelNames: Object.keys(values[0]?.[0] ?? {}), registers: [registry] });
    gauge.reset();
    for (const [labels, value] of values) gauge.set(labels, value);
  };
}

function measureProcess({ installation }: Service, measure: Measure): void {
  const { database, threads, config } = installation;
  const { totalCount, idleCount, waitingCount } = database;
  measure('custodia_threads', 'Threads of this process', [[{}, threads.threads]]);
  measure('custodia_concurrency', 'Units that this process may work on at once, as started', [[{}, config.concurrency]]);
  measure('custodia_database_connections', 'Connections of this process to PostgreSQL, and requests that wait for one', [
    [{ state: 'busy' }, totalCount - idleCount],
    [{ state: 'idle' }, idleCount],
    [{ state: 'wanted' }, waitingCount],
  ]);
}

async function measureInstallation({ installation }: Service, measure: Measure, problems: ProblemNumbers): Promise<void> {
  const { database, config } = installation;
  const queue = await installation.queue();
  const [numbers, jobs, room] = await Promise.all([
    readInstallationNumbers(database),
    queue.counts(),
    roomIn(config.dataFolder, config.reserveBytes),
  ]);
  measure(
    'custodia_units',
    'Open units by kind and state',
    inStates(numbers.unitsByState, ({ units }) => units),
  );
  measure(
    'custodia_units_bytes',
    'Bytes that open units go through, by kind and state',
    inStates(numbers.unitsByState, ({ bytes }) => bytes),
  );
  measure('custodia_units_oldest_waiting_seconds', 'Age of the oldest unit that waits', [[{}, numbers.oldestWaitingSeconds]]);
  measure('custodia_units_quarantined', 'Units that were given up', [[{}, numbers.unitsQuarantined]]);
  measure('custodia_queue_jobs', 'Jobs of the queue by state: they wake workers', byLabel('state', Object.entries(jobs)));
  measure('custodia_examinations', 'Examinations by status', statuses(numbers.examinations));
  const workers = (what: 'count' | 'threads' | 'concurrency') =>
    byLabel(
      'state',
      numbers.workers.map((one) => [one.state, one[what]]),
    );
  measure('custodia_workers', 'Registered worker processes by state', workers('count'));
  measure('custodia_workers_threads', 'Threads of all worker processes', workers('threads'));
  measure('custodia_workers_concurrency', 'Units that all worker processes may work on at once', workers('concurrency'));
  measure('custodia_uploads_open', 'Uploads that come in or are checked', [[{}, numbers.uploadsOpen]]);
  measure('custodia_problems', 'Problems recorded, and those of them that may hide evidence', [
    [{ hides_evidence: 'no' }, problems.total - problems.hidingEvidence],
    [{ hides_evidence: 'yes' }, problems.hidingEvidence],
  ]);
  measure('custodia_ledger_events', 'Events in the ledgers of all exhibits', [[{}, numbers.ledgerEvents]]);
  measure('custodia_audit_events', 'Events in the audit log', [[{}, numbers.auditEvents]]);
  measure('custodia_data_free_bytes', 'Free space where the data folder lies', [[{}, room.freeBytes]]);
  measure('custodia_data_reserve_bytes', 'Below so much free space nothing new is begun', [[{}, room.reserveBytes]]);
}

const byLabel = (label: string, values: readonly (readonly [string, number])[]) =>
  values.map(([name, value]) => [{ [label]: name }, value] as const);

type UnitState = Awaited<ReturnType<typeof readInstallationNumbers>>['unitsByState'][number];

/** All of them, so that a graph has its zeros. */
const inStates = (rows: readonly UnitState[], value: (row: UnitState) => number) =>
  ['hash-media', 'survey', 'list-files', 'examine-files', 'conclude'].flatMap((kind) =>
    ['waiting', 'held', 'paused'].map((state) => {
      const row = rows.find((one) => one.kind === kind && one.state === state);
      return [{ kind, state }, row === undefined ? 0 : value(row)] as const;
    }),
  );

const statuses = (rows: readonly { readonly status: string; readonly count: number }[]) =>
  ['open', 'concluding', 'complete', 'integrity-failed', 'failed', 'cancelled'].map(
    (status) => [{ status }, rows.find((row) => row.status === status)?.count ?? 0] as const,
  );

/** So seldom that it takes at most a hundredth of the time. */
function rarely<T>(ask: () => Promise<T>): () => Promise<T> {
  let known: { readonly answer: T; readonly goodUntil: number } | null = null;
  return async () => {
    if (known !== null && performance.now() < known.goodUntil) return known.answer;
    const begun = performance.now();
    const answer = await ask();
    const took = performance.now() - begun;
    known = { answer, goodUntil: performance.now() + 100 * took };
    return answer;
  };
}
