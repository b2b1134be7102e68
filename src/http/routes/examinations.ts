/** Examinations: begun over the segments of an exhibit, listed, looked at. */
import { Type } from 'typebox';
import { defaultLimits, furtherDigests, usualDigests } from '../../config.ts';
import { submit } from '../../pipeline/submit.ts';
import { TaskError } from '../../pipeline/task-error.ts';
import { changing } from '../audit.ts';
import { actorOf } from '../control.ts';
import { sendTagged } from '../etag.ts';
import { intakeOf, refusing } from '../intake.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { type Api, closed, Id, isId, type Routes, type Service } from '../route.ts';

const Begin = Type.Object(
  {
    segments: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 20_000, uniqueItems: true })),
    incomplete: Type.Optional(Type.Boolean()),
    digests: Type.Optional(Type.Array(Type.Union(furtherDigests.map((name) => Type.Literal(name))), { uniqueItems: true })),
    priority: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })),
    deadline: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?(Z|[+-]\\d\\d:\\d\\d)$' })),
  },
  closed,
);
const Params = Type.Object({ examinationId: Id });

interface Row {
  id: string;
  exhibit_id: string;
  label: string | null;
  case_id: string | null;
  reference: string | null;
  status: string;
  format: string;
  files: number;
  priority: number;
  deadline: Date | null;
  created_at: Date;
  concluded_at: Date | null;
  paused_at: Date | null;
  paused_because: string | null;
  cancelled_because: string | null;
}

/** Ops see the examination, not the exhibit and case that it belongs to. */
const columns = `examination.id, exhibit_id, label, case_id, reference, status, image->>'format' as format, jsonb_array_length(image->'paths') as files,
  priority, deadline, examination.created_at, concluded_at, paused_at, paused_because, cancelled_because`;
const joined = 'examination left join exhibit on exhibit.id = exhibit_id left join case_file on case_file.id = case_id';

const asExamination = (row: Row) => ({
  id: row.id,
  case: row.case_id === null ? null : { id: row.case_id, reference: row.reference },
  exhibit: { id: row.exhibit_id, ...(row.label === null ? {} : { label: row.label }) },
  status: row.status,
  image: { format: row.format, files: row.files },
  ...{ priority: row.priority, deadline: row.deadline, created: row.created_at, concluded: row.concluded_at },
  ...{ pausedAt: row.paused_at, pausedBecause: row.paused_because, cancelledBecause: row.cancelled_because },
});

export const examinationRoutes: Routes = (api, service) => {
  addBegin(api, service);
  addReading(api, service);
};

function addBegin(api: Api, service: Service): void {
  const intake = intakeOf(api, service);
  const { database, recorder } = service.installation;
  api.post(
    '/exhibits/:exhibitId/examinations',
    {
      config: { policy: { action: 'examination.start', about: 'exhibit' } },
      schema: { params: Type.Object({ exhibitId: Id }), body: Begin },
    },
    async (request, reply) => {
      const { exhibitId } = request.params;
      const { segments, incomplete = false, digests = [], priority, deadline } = request.body;
      if (deadline !== undefined && Number.isNaN(Date.parse(deadline)))
        throw new Refusal(400, 'http.request', 'deadline: expected a time that exists');
      const { image, received, missing } = await refusing(
        intake.assemble(exhibitId, { incomplete, ...(segments === undefined ? {} : { ids: segments }) }),
      );
      const { agencyId, accountId } = request.subject;
      const { rows } = await database.query<{ reference: string; label: string; agency_id: string; name: string }>(
        `select reference, label, case_file.agency_id, account.name from exhibit join case_file on case_file.id = case_id, account
         where exhibit.id = $1 and account.id = $2`,
        [exhibitId, accountId],
      );
      const found = rows[0]!;
      const submitted = await submit(database, await service.installation.queue(), recorder, {
        ...{ caseReference: found.reference, exhibit: found.label, examiner: found.name, image, received },
        profile: { digests: [...new Set([...usualDigests, ...digests])], limits: defaultLimits },
        request: {
          ...{ agencyId: found.agency_id ?? agencyId, accountId, actor: await actorOf(service, request) },
          ...(priority === undefined ? {} : { priority }),
          ...(deadline === undefined ? {} : { deadline: new Date(deadline) }),
        },
      }).catch((error: unknown) => {
        if (error instanceof TaskError && error.final) throw new Refusal(409, error.code, error.message);
        throw error;
      });
      const { examinationId: id, resumed } = submitted;
      await changing(service, request, async (_, tell) =>
        tell({
          action: 'examination.start',
          outcome: 'done',
          about: { exhibit: exhibitId, examination: id },
          detail: { resumed: String(resumed) },
        }),
      );
      return reply
        .code(resumed ? 200 : 201)
        .header('location', `/api/v1/examinations/${id}`)
        .send({ id, resumed, missing });
    },
  );
}

function addReading(api: Api, service: Service): void {
  api.get(
    '/examinations',
    { config: { policy: { action: 'examination.list', about: 'own' } }, schema: { querystring: Type.Object(PageQuery, closed) } },
    async (request) => {
      const { limit = usualLimit, cursor } = request.query;
      const before = readCursor('examinations', cursor, 1)?.[0]?.toString() ?? null;
      if (before !== null && !isId(before)) throw new Refusal(400, 'http.cursor', 'the cursor is none of this question');
      const { rows } = await service.read(request, (client) =>
        client.query<Row>(
          `select ${columns} from ${joined} where $1::uuid is null or examination.id < $1::uuid order by examination.id desc limit $2`,
          [before, limit + 1],
        ),
      );
      const { items, next } = pageOf(rows, limit, 'examinations', ({ id }) => [id]);
      return { items: items.map(asExamination), next };
    },
  );
  api.get(
    '/examinations/:examinationId',
    { config: { policy: { action: 'examination.read', about: 'examination' } }, schema: { params: Params } },
    async (request, reply) => {
      const { examinationId } = request.params;
      const found = await service.read(request, async (client) => {
        // what was found stands in the conclusion too: of that only what tells of no file is shown here
        const examination = await client.query<Row & { integrity: string | null; root: string | null; hides: boolean | null }>(
          `select ${columns}, conclusion->>'integrity' as integrity, conclusion#>>'{catalogue,root}' as root,
             (conclusion->>'hidesEvidence')::boolean as hides from ${joined} where examination.id = $1`,
          [examinationId],
        );
        const units = await client.query<{ kind: string; status: string; count: number }>(
          'select kind, status, count(*)::int as count from unit where examination_id = $1 group by 1, 2 order by 1, 2',
          [examinationId],
        );
        return { row: examination.rows[0], units: units.rows };
      });
      if (found.row === undefined) throw notFound();
      const { integrity, root, hides } = found.row;
      const conclusion = integrity === null ? null : { integrity, catalogueRoot: root, hidesEvidence: hides };
      return sendTagged(request, reply, { ...asExamination(found.row), conclusion, units: found.units });
    },
  );
  api.get(
    '/examinations/:examinationId/volumes',
    { config: { policy: { action: 'entries.read', about: 'examination' } }, schema: { params: Params } },
    async (request, reply) => {
      const { rows } = await service.read(request, (client) =>
        client.query<{ locator: string; facts: object }>('select locator, facts from volume where examination_id = $1 order by position', [
          request.params.examinationId,
        ]),
      );
      return sendTagged(request, reply, { items: rows.map(({ locator, facts }) => ({ ...facts, locator })) });
    },
  );
}
