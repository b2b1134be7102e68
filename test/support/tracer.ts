/** A provider of spans by the interfaces of the OpenTelemetry API, in place of an operator's SDK: it keeps what it is given. */
import { type Attributes, context, type Span, type SpanStatus, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';

export interface KeptSpan {
  readonly name: string;
  readonly attributes: Attributes;
  status: SpanStatus;
  ended: boolean;
}

export function keepSpans(): KeptSpan[] {
  const kept: KeptSpan[] = [];
  let count = 0;
  const startSpan: Tracer['startSpan'] = (name, options = {}) => {
    const one: KeptSpan = { name, attributes: { ...options.attributes }, status: { code: SpanStatusCode.UNSET }, ended: false };
    kept.push(one);
    const spanId = (++count).toString(16).padStart(16, '0');
    const span: Span = {
      spanContext: () => ({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId, traceFlags: 1 }),
      setAttribute: (key, value) => Object.assign(one.attributes, { [key]: value }) && span,
      setAttributes: (values) => Object.assign(one.attributes, values) && span,
      addEvent: () => span,
      addLink: () => span,
      addLinks: () => span,
      setStatus: (status) => Object.assign(one, { status }) && span,
      updateName: () => span,
      end: () => {
        one.ended = true;
      },
      isRecording: () => true,
      recordException: () => undefined,
    };
    return span;
  };
  const startActiveSpan = ((name: string, options: object, work: (span: Span) => unknown) => {
    const span = startSpan(name, options);
    return context.with(trace.setSpan(context.active(), span), work, undefined, span);
  }) as Tracer['startActiveSpan'];
  trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan }) });
  return kept;
}
