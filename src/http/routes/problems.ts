/** What could not be examined, or not surely. */
import { Type } from 'typebox';
import { searchProblems, summariseProblems } from '../../store/problem-search.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';
import { searching } from '../search.ts';
import { refuseUnstorable } from './entries.ts';

const policy = { action: 'entries.read', about: 'examination' } as const;
const Examination = Type.Object({ examinationId: Id });
const Query = Type.Object(
  {
    ...PageQuery,
    code: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    hidesEvidence: Type.Optional(Type.Boolean()),
    locator: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  },
  closed,
);

export const problemRoutes: Routes = (api, service) => {
  api.get(
    '/examinations/:examinationId/problems',
    { config: { policy }, schema: { params: Examination, querystring: Query, summary: 'Problems, by locator' } },
    async (request) => {
      const { examinationId } = request.params;
      const { cursor, limit = usualLimit, ...filter } = request.query;
      refuseUnstorable(filter);
      const question = [examinationId, 'problems', filter];
      const key = readCursor(question, cursor, 2);
      const after = key === null ? null : ([String(key[0]), String(key[1])] as const);
      if (after !== null && (after[0].includes('\0') || !after[0].isWellFormed() || !/^\d{1,18}$/.test(after[1])))
        throw new Refusal(400, 'http.cursor', 'the cursor is none of this question');
      const found = await searching(service, request, examinationId, (client) =>
        searchProblems(client, examinationId, filter, after, limit + 1),
      );
      const page = pageOf(found, limit, question, ({ locator, id }) => [locator, id]);
      await service.looked(request, { examinationId, how: 'listed', locator: 'image:' });
      return { items: page.items.map(({ id: _, ...problem }) => problem), next: page.next };
    },
  );
  api.get(
    '/examinations/:examinationId/problems/summary',
    { config: { policy }, schema: { params: Examination, summary: 'Problems counted by code' } },
    async (request) => {
      const { examinationId } = request.params;
      const codes = await searching(service, request, examinationId, (client) => summariseProblems(client, examinationId));
      await service.looked(request, { examinationId, how: 'listed', locator: 'image:' });
      return { codes };
    },
  );
};
