/** Agencies and what each may use. */
import { Type } from 'typebox';
import { wake } from '../../pipeline/control.ts';
import { changeAgency, findAgency, insertAgency, listAgencies } from '../../store/agencies.ts';
import { changing } from '../audit.ts';
import { controlOf } from '../control.ts';
import { refuseChanged, sendTagged } from '../etag.ts';
import { plainText, Text } from '../fields.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';

const count = (maximum: number) => Type.Optional(Type.Integer({ minimum: 0, maximum }));
const quotas = {
  maxBytes: count(Number.MAX_SAFE_INTEGER),
  maxObjects: count(2 ** 31 - 1),
  maxUploads: count(10_000),
  maxRunningUnits: count(1_000_000),
};
const NewAgency = Type.Object({ name: Text, ...quotas }, closed);
const Change = Type.Object(quotas, { ...closed, minProperties: 1 });
const Params = Type.Object({ agencyId: Id });

export const agencyRoutes: Routes = (api, service) => {
  api.get(
    '/agencies',
    { config: { policy: { action: 'agency.list', about: 'own' } }, schema: { querystring: Type.Object(PageQuery, closed) } },
    async (request) => {
      const { limit = usualLimit, cursor } = request.query;
      const after = readCursor('agencies', cursor, 1)?.[0]?.toString() ?? null;
      const rows = await service.read(request, (client) => listAgencies(client, after, limit + 1));
      return pageOf(rows, limit, 'agencies', ({ name }) => [name]);
    },
  );
  api.post(
    '/agencies',
    { config: { policy: { action: 'agency.manage', about: 'installation' } }, schema: { body: NewAgency } },
    async (request, reply) => {
      const { name, ...limits } = request.body;
      plainText('name', name);
      const agency = await changing(service, request, async (client, tell) => {
        const made = await insertAgency(client, name);
        if (made === null) throw new Refusal(409, 'agency.name', 'name: there is an agency of this name');
        tell({ action: 'agency.create', outcome: 'done', about: { agency: made.id }, detail: { ...limits } });
        return changeAgency(client, made.id, limits);
      });
      return reply.code(201).header('location', `/api/v1/agencies/${agency.id}`).send(agency);
    },
  );
  api.get(
    '/agencies/:agencyId',
    { config: { policy: { action: 'agency.list', about: 'agency' } }, schema: { params: Params } },
    async (request, reply) => {
      const agency = await service.read(request, (client) => findAgency(client, request.params.agencyId));
      if (agency === null) throw notFound();
      return sendTagged(request, reply, agency);
    },
  );
  api.patch(
    '/agencies/:agencyId',
    { config: { policy: { action: 'agency.manage', about: 'agency' } }, schema: { params: Params, body: Change } },
    async (request, reply) => {
      const { agencyId } = request.params;
      const agency = await changing(service, request, async (client, tell) => {
        const before = await findAgency(client, agencyId, { lock: true });
        if (before === null) throw notFound();
        refuseChanged(request, before);
        tell({ action: 'agency.change', outcome: 'done', about: { agency: agencyId }, detail: { ...request.body } });
        return changeAgency(client, agencyId, request.body);
      });
      if (request.body.maxRunningUnits !== undefined) await wake(await controlOf(service), null); // there may be room for more now
      return sendTagged(request, reply, agency);
    },
  );
};
