/** A span for each request, where the operator has loaded an SDK of OpenTelemetry: named by its route, never by what stands in its address. */
import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { type FastifyRequest } from 'fastify';
import { isTraced } from '../telemetry.ts';
import { type Api } from './route.ts';

/** Attributes as in the semantic conventions of OpenTelemetry for HTTP servers. */
/** To be added before whatever may refuse a request. */
export function traceRequests(api: Api): void {
  if (!isTraced()) return;
  const spans = new WeakMap<FastifyRequest, Span>();
  api.addHook('onRequest', async (request) => {
    const route = request.routeOptions.url ?? 'unknown';
    const attributes = { 'http.request.method': request.method, 'http.route': route };
    spans.set(request, trace.getTracer('custodia').startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER, attributes }));
  });
  const end = (request: FastifyRequest, status: number | null) => {
    const span = spans.get(request);
    if (status !== null) span?.setAttribute('http.response.status_code', status);
    if (status === null || status >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
    span?.end();
  };
  api.addHook('onResponse', async (request, reply) => end(request, reply.statusCode));
  api.addHook('onRequestAbort', async (request) => end(request, null));
}
