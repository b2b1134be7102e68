/** Exhibits of a case. */
import { Type } from 'typebox';
import { findAccount } from '../../store/accounts.ts';
import { findExhibit, insertExhibit, listExhibits } from '../../store/cases.ts';
import { changing } from '../audit.ts';
import { sendTagged } from '../etag.ts';
import { plainText, Text } from '../fields.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';

const NewExhibit = Type.Object({ label: Text, description: Type.Optional(Type.String({ maxLength: 2000 })) }, closed);
const Params = Type.Object({ caseId: Id });

export const exhibitRoutes: Routes = (api, service) => {
  api.get(
    '/cases/:caseId/exhibits',
    {
      config: { policy: { action: 'exhibit.read', about: 'case' } },
      schema: { params: Params, querystring: Type.Object(PageQuery, closed) },
    },
    async (request) => {
      const { limit = usualLimit, cursor } = request.query;
      const question = ['exhibits', request.params.caseId];
      const after = readCursor(question, cursor, 1)?.[0]?.toString() ?? null;
      const rows = await service.read(request, (client) => listExhibits(client, request.params.caseId, after, limit + 1));
      return pageOf(rows, limit, question, ({ label }) => [label]);
    },
  );
  api.post(
    '/cases/:caseId/exhibits',
    { config: { policy: { action: 'exhibit.create', about: 'case' } }, schema: { params: Params, body: NewExhibit } },
    async (request, reply) => {
      const { label, description = '' } = request.body;
      const { caseId } = request.params;
      plainText('label', label);
      if (description !== '') plainText('description', description);
      const account = await service.read(request, (client) => findAccount(client, request.subject.accountId));
      const made = await changing(service, request, async (client, tell) => {
        const exhibit = await insertExhibit(client, { caseId, label, description, examiner: account!.name });
        if (exhibit === null) throw new Refusal(409, 'exhibit.taken', 'label: the case has an exhibit of this label');
        const { agencyId } = request.about;
        const about = { case: caseId, exhibit: exhibit.id, ...(agencyId === undefined ? {} : { agency: agencyId }) };
        tell({ action: 'exhibit.create', outcome: 'done', about });
        return exhibit;
      });
      return reply.code(201).header('location', `/api/v1/exhibits/${made.id}`).send(made);
    },
  );
  api.get(
    '/exhibits/:exhibitId',
    { config: { policy: { action: 'exhibit.read', about: 'exhibit' } }, schema: { params: Type.Object({ exhibitId: Id }) } },
    async (request, reply) => {
      const exhibit = await service.read(request, (client) => findExhibit(client, request.params.exhibitId));
      if (exhibit === null) throw notFound();
      return sendTagged(request, reply, exhibit);
    },
  );
};
