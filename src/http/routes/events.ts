/** Progress as server-sent events: of one examination until it has ended, and of all that the account sees. */
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { asAccount } from '../../store/as-account.ts';
import { type ExaminationProgress, hasEnded, type ListedProgress, readLiveExaminations, readProgress } from '../../store/progress.ts';
import { createAccessWatch } from '../access-watch.ts';
import { type EventStream, endStreamsWith, type StreamEvent, streamEvents } from '../event-stream.ts';
import { createFeed, digestOf, type Told } from '../feed.ts';
import { problemDocument, Refusal } from '../problem.ts';
import { Id, type Routes } from '../route.ts';

/** Of one process: each open stream holds a connection. */
const streamsOfOneAccount = 256;
const streamsOfAll = 4096;

export const eventRoutes: Routes = (api, service) => {
  const { database, log } = service.installation;
  const onTrouble = (error: unknown) => log.warn({ err: error }, 'events: progress could not be read, it is tried again');
  const access = createAccessWatch(service);
  const open = new Set<EventStream>();
  const streamsOf = new Map<string, number>();
  endStreamsWith(api, open);

  // the policy has allowed each follower this examination, and is asked again while it follows: one look serves them all
  const one = createFeed<ExaminationProgress>({
    look: (id, previous) => readProgress(database, id, previous),
    isLast: ({ status }) => hasEnded(status),
    onTrouble,
  });
  const all = createFeed<readonly ListedProgress[]>({
    look: (accountId) => asAccount(database, accountId, readLiveExaminations),
    isLast: () => false,
    onTrouble,
  });

  async function counted(request: FastifyRequest, work: () => Promise<unknown>): Promise<unknown> {
    const { accountId } = request.subject;
    const mine = streamsOf.get(accountId) ?? 0;
    if (mine >= streamsOfOneAccount || open.size >= streamsOfAll)
      throw new Refusal(429, 'http.streams', `${mine} event streams of this account are open, of all ${open.size}: close some first`);
    streamsOf.set(accountId, mine + 1);
    try {
      return await work();
    } finally {
      const left = streamsOf.get(accountId)! - 1;
      if (left > 0) streamsOf.set(accountId, left);
      else streamsOf.delete(accountId);
    }
  }

  api.get(
    '/examinations/:examinationId/events',
    {
      sse: 'only',
      schema: { params: Type.Object({ examinationId: Id }) },
      config: { policy: { action: 'examination.read', about: 'examination' } },
      onSend: refusedFormAsProblem,
    },
    (request, reply) =>
      counted(request, async () => {
        const { examinationId } = request.params;
        const present = await readProgress(database, examinationId, null);
        let known = reply.sse.lastEventId;
        // a browser that comes back after the end is told to stay away (HTML, server-sent events: 204 ends the reconnecting)
        if (present !== null && hasEnded(present.status) && known === digestOf(present)) return reply.code(204).send();
        let latest: Told<ExaminationProgress> | null = null;
        await streamEvents(request, reply, {
          access,
          open,
          follow: (wake) =>
            one.follow(examinationId, (told) => {
              latest = told;
              wake();
            }),
          next() {
            if (latest === null) return { events: [], isLast: false };
            const { id, state, isLast } = latest;
            const events = id === known ? [] : [{ event: isLast ? 'end' : 'progress', id, data: state }];
            known = id;
            return { events, isLast };
          },
        });
      }),
  );

  api.get(
    '/events',
    { sse: 'only', config: { policy: { action: 'examination.list', about: 'own' } }, onSend: refusedFormAsProblem },
    (request, reply) =>
      counted(request, async () => {
        const { accountId } = request.subject;
        let latest: Told<readonly ListedProgress[]> | null = null;
        let sent: readonly ListedProgress[] = [];
        let known = reply.sse.lastEventId;
        await streamEvents(request, reply, {
          access,
          open,
          follow: (wake) =>
            all.follow(accountId, (told) => {
              latest = told;
              wake();
            }),
          next() {
            if (latest === null) return { events: [], isLast: false };
            const events = latest.id === known ? [] : changes(sent, latest);
            known = null;
            sent = latest.state;
            return { events, isLast: false };
          },
        });
      }),
  );
};

/** The id goes with the last event alone: a follower cut off in between gets all of them again. */
function changes(before: readonly ListedProgress[], { id, state }: Told<readonly ListedProgress[]>): StreamEvent[] {
  const known = new Map(before.map((one) => [one.examination, JSON.stringify(one)]));
  const changed = state.filter((one) => known.get(one.examination) !== JSON.stringify(one));
  return changed.map((one, position) => ({
    event: hasEnded(one.status) ? 'end' : 'progress',
    ...(position === changed.length - 1 ? { id } : {}),
    data: one,
  }));
}

/** The plugin refuses other forms in words of its own. */
async function refusedFormAsProblem(_request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<unknown> {
  if (reply.statusCode !== 406) return payload;
  reply.type('application/problem+json');
  return JSON.stringify(
    problemDocument(new Refusal(406, 'http.form', 'this answer is a stream of events, expected Accept: text/event-stream')),
  );
}
