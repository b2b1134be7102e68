/** What a process tells of its work: durations for Prometheus, and spans for OpenTelemetry where the operator has loaded an SDK. On the main thread only. */
import { type Attributes, isSpanContextValid, SpanStatusCode, trace } from '@opentelemetry/api';
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** Of this process alone. */
export const processMetrics = new Registry();

const unitSeconds = new Histogram({
  name: 'custodia_unit_seconds',
  help: 'Duration of the tries of units in this process, by kind and result (ended, failed)',
  labelNames: ['kind', 'result'],
  buckets: [0.05, 0.2, 1, 5, 20, 60, 300, 1800, 7200, 28_800],
  registers: [processMetrics],
});
const unitsRunning = new Gauge({
  name: 'custodia_units_running',
  help: 'Units that this process works on now',
  labelNames: ['kind'],
  registers: [processMetrics],
});

let isCollecting = false;

/** Memory, CPU, event loop, open files: a timer of its own, so only where somebody asks for it. */
export function collectProcessMetrics(): void {
  if (isCollecting) return;
  isCollecting = true;
  collectDefaultMetrics({ register: processMetrics });
}

export interface UnitTry {
  readonly id: string;
  readonly examination_id: string;
  readonly kind: string;
}

/** `work` resolves to true when the try failed and another may follow. */
export async function observeUnit({ id, examination_id: examination, kind }: UnitTry, work: () => Promise<boolean>): Promise<boolean> {
  const begun = performance.now();
  let result = 'failed';
  unitsRunning.inc({ kind });
  try {
    return await inSpan(`unit ${kind}`, { 'custodia.unit': id, 'custodia.examination': examination, 'custodia.kind': kind }, async () => {
      const failed = await work();
      result = failed ? 'failed' : 'ended';
      return failed;
    });
  } finally {
    unitsRunning.dec({ kind });
    unitSeconds.observe({ kind, result }, (performance.now() - begun) / 1000);
  }
}

const tracer = () => trace.getTracer('custodia');

/** Whether spans go anywhere: a span that is never ended is never exported, so asking leaves no trace. */
export const isTraced = (): boolean => isSpanContextValid(tracer().startSpan('probe').spanContext());

/** Nothing of an error but that there was one: messages may hold names from evidence. */
function inSpan<T>(name: string, attributes: Attributes, work: () => Promise<T>): Promise<T> {
  return tracer().startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work();
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}
