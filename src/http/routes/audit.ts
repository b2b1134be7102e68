/** The audit log, for auditors and administrators: in pages, and as lines that anybody can verify. */
import { Readable } from 'node:stream';
import { type FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type AuditFilter, listAudit, nextAuditLines } from '../../store/audit.ts';
import { createAccessWatch } from '../access-watch.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { closed, Id, type Routes, type Service } from '../route.ts';

const Time = Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])T([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?Z$' });
const Query = Type.Object(
  {
    ...PageQuery,
    account: Type.Optional(Id),
    action: Type.Optional(Type.String({ pattern: '^[a-z.-]{1,60}$' })),
    outcome: Type.Optional(Type.Union(['allowed', 'denied', 'done', 'failed'].map((outcome) => Type.Literal(outcome)))),
    from: Type.Optional(Time),
    to: Type.Optional(Time),
  },
  closed,
);

const policy = { action: 'audit.read', about: 'installation' } as const;

export const auditRoutes: Routes = (api, service) => {
  const access = createAccessWatch(service);
  api.get('/audit', { config: { policy }, schema: { querystring: Query } }, async (request) => {
    const { limit = usualLimit, cursor, ...filter } = request.query;
    const question = ['audit', filter];
    const before = readCursor(question, cursor, 1)?.[0];
    const rows = await service.read(request, (client) =>
      listAudit(client, filter as AuditFilter, typeof before === 'number' ? before : null, limit + 1),
    );
    const page = pageOf(rows, limit, question, ({ seq }) => [seq]);
    return { ...page, items: page.items.map(({ envelope }) => shownEvent(envelope)) };
  });
  api.get('/audit/export.jsonl', { config: { policy } }, async (request, reply) => {
    const body = Readable.from(exportLines(service, request));
    const unwatch = access.watch(request, () => {
      body.destroy();
      reply.raw.destroy(); // cut, so that nobody takes it for all of it
    });
    body.once('close', unwatch);
    return reply.type('application/jsonl').header('content-disposition', 'attachment; filename="audit.jsonl"').send(body);
  });
};

/** The event of our own envelope; who wants the proof takes the export. */
const shownEvent = (envelope: string): unknown => {
  const { payload } = JSON.parse(envelope) as { payload: string };
  return (JSON.parse(Buffer.from(payload, 'base64').toString()) as { predicate: unknown }).predicate;
};

const linesAtOnce = 1000;

/** A transaction for each piece: a slow reader holds nothing open. */
async function* exportLines(service: Service, request: FastifyRequest): AsyncGenerator<string> {
  for (let after = -1; ; ) {
    const rows = await service.read(request, (client) => nextAuditLines(client, after, linesAtOnce));
    if (rows.length === 0) return;
    yield rows.map(({ envelope }) => `${envelope}\n`).join('');
    after = rows.at(-1)!.seq;
  }
}
