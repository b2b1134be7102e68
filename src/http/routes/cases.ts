/** Cases and their members. */
import { Type } from 'typebox';
import { findAccount } from '../../store/accounts.ts';
import { findCase, hasLead, insertCase, listCases, listMembers, type Member, setCaseTitle, setMember } from '../../store/cases.ts';
import { changing } from '../audit.ts';
import { refuseChanged, sendTagged } from '../etag.ts';
import { CaseRoles, plainText, Text } from '../fields.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { type Api, closed, Id, isId, type Routes, type Service } from '../route.ts';

const NewCase = Type.Object({ reference: Text, title: Type.Optional(Text) }, closed);
const Change = Type.Object({ title: Text }, closed);
const Params = Type.Object({ caseId: Id });
const MemberParams = Type.Object({ caseId: Id, accountId: Id });
const NewMember = Type.Object({ roles: CaseRoles }, closed);

export const caseRoutes: Routes = (api, service) => {
  api.get(
    '/cases',
    { config: { policy: { action: 'case.list', about: 'own' } }, schema: { querystring: Type.Object(PageQuery, closed) } },
    async (request) => {
      const { limit = usualLimit, cursor } = request.query;
      const before = readCursor('cases', cursor, 1)?.[0]?.toString() ?? null;
      if (before !== null && !isId(before)) throw new Refusal(400, 'http.cursor', 'the cursor is none of this question');
      const rows = await service.read(request, (client) => listCases(client, before, limit + 1));
      return pageOf(rows, limit, 'cases', ({ id }) => [id]);
    },
  );
  api.post(
    '/cases',
    { config: { policy: { action: 'case.create', about: 'installation' } }, schema: { body: NewCase } },
    async (request, reply) => {
      const { reference, title = '' } = request.body;
      const { accountId: by, agencyId } = request.subject;
      plainText('reference', reference);
      if (title !== '') plainText('title', title);
      const made = await changing(service, request, async (client, tell) => {
        const opened = await insertCase(client, { agencyId, reference, title, by });
        if (opened === null) throw new Refusal(409, 'case.reference', 'reference: the agency has a case of this reference');
        tell({ action: 'case.create', outcome: 'done', about: { case: opened.id, agency: agencyId } });
        return opened;
      });
      return reply.code(201).header('location', `/api/v1/cases/${made.id}`).send(made);
    },
  );
  api.get(
    '/cases/:caseId',
    { config: { policy: { action: 'case.read', about: 'case' } }, schema: { params: Params } },
    async (request, reply) => {
      const found = await service.read(request, (client) => findCase(client, request.params.caseId));
      if (found === null) throw notFound();
      return sendTagged(request, reply, found);
    },
  );
  api.patch(
    '/cases/:caseId',
    { config: { policy: { action: 'case.members', about: 'case' } }, schema: { params: Params, body: Change } },
    async (request, reply) => {
      const { caseId } = request.params;
      plainText('title', request.body.title);
      const changed = await changing(service, request, async (client, tell) => {
        const before = await findCase(client, caseId, { lock: true });
        if (before === null) throw notFound();
        refuseChanged(request, before);
        tell({ action: 'case.change', outcome: 'done', about: { case: caseId, agency: before.agencyId } });
        return setCaseTitle(client, caseId, request.body.title);
      });
      return sendTagged(request, reply, changed);
    },
  );
  addMembers(api, service);
};

function addMembers(api: Api, service: Service): void {
  api.get(
    '/cases/:caseId/members',
    { config: { policy: { action: 'case.read', about: 'case' } }, schema: { params: Params } },
    async (request, reply) => {
      const items = await service.read(request, (client) => listMembers(client, request.params.caseId));
      return sendTagged(request, reply, { items }, stateOf(items));
    },
  );
  const manage = { policy: { action: 'case.members', about: 'case' } } as const;
  api.put(
    '/cases/:caseId/members/:accountId',
    { config: manage, schema: { params: MemberParams, body: NewMember } },
    async (request, reply) => {
      const { caseId, accountId } = request.params;
      const { roles } = request.body;
      const account = await service.read(request, (client) => findAccount(client, accountId));
      if (account === null) throw new Refusal(422, 'case.no-member', 'accountId: there is no such account, or none that you may see');
      await changing(service, request, async (client, tell) => {
        const held = await findCase(client, caseId, { lock: true });
        refuseChanged(request, stateOf(await listMembers(client, caseId)));
        const before = await setMember(client, { caseId, accountId, roles, by: request.subject.accountId });
        if (!(await hasLead(client, caseId))) throw lastLead();
        const about = { case: caseId, account: accountId, agency: held!.agencyId };
        tell({ action: 'case.member', outcome: 'done', about, detail: { before, after: roles } });
      });
      return reply.code(200).send({ accountId, login: account.login, roles });
    },
  );
  api.delete('/cases/:caseId/members/:accountId', { config: manage, schema: { params: MemberParams } }, async (request, reply) => {
    const { caseId, accountId } = request.params;
    await changing(service, request, async (client, tell) => {
      const held = await findCase(client, caseId, { lock: true });
      refuseChanged(request, stateOf(await listMembers(client, caseId)));
      const before = await setMember(client, { caseId, accountId, roles: [], by: request.subject.accountId });
      if (before.length === 0) throw notFound();
      if (!(await hasLead(client, caseId))) throw lastLead();
      const about = { case: caseId, account: accountId, agency: held!.agencyId };
      tell({ action: 'case.member', outcome: 'done', about, detail: { before, after: [] } });
    });
    return reply.code(204).send();
  });
}

/** Logins of other agencies are hidden from some who ask. */
const stateOf = (members: readonly Member[]) => members.map(({ accountId, roles }) => [accountId, roles]);

const lastLead = () => new Refusal(409, 'case.last-lead', 'nobody would lead the case: make somebody else its lab lead first');
