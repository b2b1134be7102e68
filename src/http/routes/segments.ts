/** The segments of an exhibit: those that were accepted, and taking in what lies in place or in S3. */
import { Type } from 'typebox';
import { type ForAgencies } from '../../config.ts';
import { isFor } from '../../intake/for-agency.ts';
import { intakeOf, refusing } from '../intake.ts';
import { PageQuery, pageOf, readIdCursor, usualLimit } from '../paging.ts';
import { notFound } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';
import { asAnswer } from './uploads.ts';

const Params = Type.Object({ exhibitId: Id });
const Placed = Type.Object({ root: Type.String({ maxLength: 63 }), path: Type.String({ minLength: 1, maxLength: 4096 }) }, closed);
const Fetched = Type.Object(
  {
    source: Type.String({ maxLength: 63 }),
    key: Type.String({ minLength: 1, maxLength: 1024 }),
    name: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
  },
  closed,
);

interface SegmentRow {
  id: string;
  origin: string;
  name: string;
  size: string;
  sha256: string | null;
  root: string | null;
  root_path: string | null;
  accepted_at: Date;
}

const asSegment = ({ id, origin, name, size, sha256, root, root_path, accepted_at }: SegmentRow) => ({
  ...{ id, origin, name, size: Number(size), sha256, accepted: accepted_at },
  ...(root === null ? {} : { root, path: root_path }),
});

export const segmentRoutes: Routes = (api, service) => {
  const intake = intakeOf(api, service);
  api.get(
    '/exhibits/:exhibitId/segments',
    {
      config: { policy: { action: 'exhibit.read', about: 'exhibit' } },
      schema: { params: Params, querystring: Type.Object(PageQuery, closed) },
    },
    async (request) => {
      const { exhibitId } = request.params;
      const { limit = usualLimit, cursor } = request.query;
      const question = ['segments', exhibitId];
      const after = readIdCursor(question, cursor);
      const { rows } = await service.read(request, (client) =>
        client.query<SegmentRow>(
          `select id, origin, name, size, sha256, root, root_path, accepted_at from segment
           where exhibit_id = $1 and ($2::uuid is null or id > $2) order by id limit $3`,
          [exhibitId, after, limit + 1],
        ),
      );
      const { items, next } = pageOf(rows, limit, question, ({ id }) => [id]);
      return { items: items.map(asSegment), next };
    },
  );
  api.post(
    '/exhibits/:exhibitId/segments',
    {
      config: { policy: { action: 'evidence.place', about: 'exhibit' } },
      schema: { params: Params, body: Type.Union([Placed, Fetched]) },
    },
    async (request, reply) => {
      const { exhibitId } = request.params;
      const { accountId } = request.subject;
      const { agencyId } = request.about;
      const credential = request.credential.kind;
      if (agencyId === undefined) throw notFound();
      if ('root' in request.body) {
        const { root, path } = request.body;
        const placed = await refusing(intake.place({ exhibitId, agencyId, accountId, credential, root, path }));
        return reply.code(201).send({ items: placed.map(asSegment) });
      }
      const { sha256 = null, ...object } = request.body;
      const upload = await refusing(intake.fetch({ exhibitId, agencyId, accountId, credential, expectedSha256: sha256, ...object }));
      return reply.code(202).header('location', `/api/v1/uploads/${upload.id}`).send(asAnswer(upload, 0));
    },
  );
  api.get('/evidence-roots', { config: { policy: { action: 'case.list', about: 'own' } } }, async ({ subject }) => {
    const { roots, sources } = intake.settings;
    const named = (all: readonly { readonly name: string; readonly agencies: ForAgencies }[]) =>
      all.filter((one) => isFor(one, subject.agencyId)).map(({ name }) => ({ name }));
    return { roots: named(roots), sources: named(sources) };
  });
};
