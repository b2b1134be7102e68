/** The custody ledger of an exhibit: its signed events, and for one of them what shows that it stands in the chain. */
import { Type } from 'typebox';
import { ledgerLines } from '../../store/ledger-search.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';

const policy = { action: 'ledger.read', about: 'exhibit' } as const;
const Exhibit = Type.Object({ exhibitId: Id });
const Event = Type.Object({ exhibitId: Id, seq: Type.String({ pattern: '^(0|[1-9][0-9]{0,14})$' }) });

/** Links of a proof in one answer; the rest is asked for from the last of them on. */
const mostLinks = 1000;

export const ledgerRoutes: Routes = (api, service) => {
  api.get(
    '/exhibits/:exhibitId/ledger',
    {
      config: { policy },
      schema: { params: Exhibit, querystring: Type.Object(PageQuery, closed), summary: 'Events of the ledger, in order' },
    },
    async (request) => {
      const { exhibitId } = request.params;
      const { cursor, limit = usualLimit } = request.query;
      const question = [exhibitId, 'ledger'];
      const after = readCursor(question, cursor, 1)?.[0] ?? -1;
      if (!Number.isSafeInteger(after)) throw new Refusal(400, 'http.cursor', 'the cursor is none of this question');
      const lines = await service.read(request, (client) => ledgerLines(client, exhibitId, Number(after), limit + 1));
      return pageOf(lines, limit, question, ({ seq }) => [seq]);
    },
  );
  api.get(
    '/exhibits/:exhibitId/ledger/:seq',
    {
      config: { policy },
      schema: {
        params: Event,
        summary: 'One event, and the events after it: each names the digest of the one before (docs/LEDGER.md, section 2)',
      },
    },
    async (request) => {
      const { exhibitId, seq } = request.params;
      const lines = await service.read(request, (client) => ledgerLines(client, exhibitId, Number(seq) - 1, mostLinks + 2));
      const [event, ...later] = lines;
      if (event === undefined || event.seq !== Number(seq)) throw notFound();
      return { ...event, proof: { links: later.slice(0, mostLinks), more: later.length > mostLinks } };
    },
  );
};
