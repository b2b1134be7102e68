/** The units of an examination: what became of each, and what is decided about one. */
import { Type } from 'typebox';
import { isAllowed } from '../../access/policy.ts';
import { cancelUnit, prioritiseUnit, retryUnit } from '../../pipeline/control.ts';
import { changing } from '../audit.ts';
import { actorOf, controlOf, deciding } from '../control.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, isId, type Routes } from '../route.ts';
import { Why, whyOf } from './examination-control.ts';

const Params = Type.Object({ unitId: Id });
const Priority = Type.Object({ priority: Type.Integer({ minimum: 1, maximum: 10 }) }, closed);

interface UnitRow {
  readonly id: string;
  readonly problem: string | null;
}

const columns = `id, kind, status, priority, files, bytes::float8 as bytes, failures, losses, retries, reason as problem,
  case when status = 'open' and lease_until > clock_timestamp() then worker_id end as worker, finished_at as "finishedAt"`;

export const unitRoutes: Routes = (api, service) => {
  api.get(
    '/examinations/:examinationId/units',
    {
      config: { policy: { action: 'examination.read', about: 'examination' } },
      schema: { params: Type.Object({ examinationId: Id }), querystring: Type.Object(PageQuery, closed) },
    },
    async (request) => {
      const { examinationId } = request.params;
      const { limit = usualLimit, cursor } = request.query;
      const question = ['units', examinationId];
      const after = readCursor(question, cursor, 1)?.[0]?.toString() ?? null;
      if (after !== null && !isId(after)) throw new Refusal(400, 'http.cursor', 'the cursor is none of this question');
      const { rows } = await service.read(request, (client) =>
        client.query<UnitRow>(
          `select ${columns} from unit where examination_id = $1 and ($2::uuid is null or id > $2) order by id limit $3`,
          [examinationId, after, limit + 1],
        ),
      );
      const mayKnow = isAllowed(request.subject, 'entries.read', request.about.resource); // a reason may quote evidence
      const shown = rows.map((row) => ({ ...row, problem: mayKnow ? row.problem : null }));
      return pageOf(shown, limit, question, ({ id }) => [id]);
    },
  );
  const config = { policy: { action: 'examination.control', about: 'unit' } } as const;
  const standing = async (unitId: string) => {
    const { rows } = await service.installation.database.query(
      'select id, kind, status, priority, cancelled_because as "cancelledBecause" from unit where id = $1',
      [unitId],
    );
    if (rows[0] === undefined) throw notFound();
    return rows[0];
  };
  for (const [verb, decide] of Object.entries({ cancel: cancelUnit, retry: retryUnit })) {
    api.post(`/units/:unitId/${verb}`, { config, schema: { params: Params, body: Why } }, async (request) => {
      const { unitId } = request.params;
      const { examinationId } = request.about;
      const why = whyOf(request.body.why);
      await deciding(decide(await controlOf(service), examinationId!, unitId, await actorOf(service, request), why));
      await changing(service, request, async (_, tell) =>
        tell({ action: 'examination.control', outcome: 'done', about: { unit: unitId }, detail: { verb } }),
      );
      return standing(unitId);
    });
  }
  api.patch('/units/:unitId', { config, schema: { params: Params, body: Priority } }, async (request) => {
    const { unitId } = request.params;
    const { priority } = request.body;
    await deciding(prioritiseUnit(await controlOf(service), unitId, priority));
    await changing(service, request, async (_, tell) =>
      tell({ action: 'examination.control', outcome: 'done', about: { unit: unitId }, detail: { priority } }),
    );
    return standing(unitId);
  });
};
