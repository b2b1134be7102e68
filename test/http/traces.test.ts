/** Spans of units and requests. Witness: a provider made after the interfaces of the OpenTelemetry API, in place of an SDK. */
import { SpanStatusCode } from '@opentelemetry/api';
import { expect, it } from 'vitest';
import { isTraced, observeUnit } from '../../src/telemetry.ts';
import { openService } from '../support/service.ts';
import { keepSpans } from '../support/tracer.ts';

it('tells of requests and units where an SDK is loaded, without a word of what they are about', async () => {
  expect(isTraced()).toBe(false);
  const spans = keepSpans();
  expect(isTraced()).toBe(true);
  const service = await openService();
  const { token } = await service.person(await service.agency());
  await service.ask('/api/v1/examinations/0190aaaa-0000-7000-8000-000000000001/events?secret=1', { token });
  await observeUnit({ id: 'u', examination_id: 'e', kind: 'survey' }, async () => {
    throw new Error('a name from evidence');
  }).catch(() => undefined);
  await service.close();
  const request = spans.find(({ name }) => name.startsWith('GET'))!;
  expect(request).toMatchObject({
    name: 'GET /api/v1/examinations/:examinationId/events',
    attributes: { 'http.request.method': 'GET', 'http.response.status_code': 404 },
    ended: true,
  });
  const unit = spans.find(({ name }) => name === 'unit survey')!;
  expect(unit).toMatchObject({ attributes: { 'custodia.unit': 'u' }, status: { code: SpanStatusCode.ERROR }, ended: true });
  expect(JSON.stringify(spans)).not.toMatch(/secret|0190aaaa|a name from evidence/);
});
