/** Worker processes: which there are, what each has in hand, what is ordered for it, and how many a host shall run. */
import { hostname } from 'node:os';
import { Type } from 'typebox';
import { notifyControl, readFleet, setFleet } from '../../store/control.ts';
import { orderWorker } from '../../store/workers.ts';
import { changing } from '../audit.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';

const Some = Type.Optional(Type.Integer({ minimum: 1, maximum: 256 }));
const State = Type.Union([Type.Literal('running'), Type.Literal('paused'), Type.Literal('draining')]);
const Orders = Type.Object({ threads: Some, concurrency: Some, state: Type.Optional(State) }, closed);
const Fleet = Type.Object(
  {
    wanted: Type.Integer({ minimum: 0, maximum: 256 }),
    host: Type.Optional(Type.String({ minLength: 1, maxLength: 253, pattern: '^[A-Za-z0-9._-]+$' })),
  },
  closed,
);

const columns = `id, split_part(host, ' ', 1) as host, pid, version, state, halted_because as "haltedBecause", threads, concurrency,
  registered_at as "registeredAt", heartbeat_at as "heartbeatAt",
  json_build_object('state', wanted_state, 'threads', wanted_threads, 'concurrency', wanted_concurrency) as ordered,
  array(select json_build_object('id', unit.id, 'kind', kind, 'examination', examination_id) from unit
        where worker_id = worker.id and status = 'open' and lease_until > clock_timestamp() order by unit.id) as units`;

export const workerRoutes: Routes = (api, service) => {
  const reads = { policy: { action: 'ops.read', about: 'installation' } } as const;
  const controls = { policy: { action: 'ops.control', about: 'installation' } } as const;
  api.get('/workers', { config: reads }, async (request) => {
    const { rows } = await service.read(request, (client) => client.query(`select ${columns} from worker order by registered_at, id`));
    return { items: rows, next: null };
  });
  api.patch(
    '/workers/:workerId',
    { config: controls, schema: { params: Type.Object({ workerId: Id }), body: Orders } },
    async (request) => {
      const { workerId } = request.params;
      const { threads, concurrency, state } = request.body;
      if (threads === undefined && concurrency === undefined && state === undefined) {
        throw new Refusal(400, 'http.request', 'body: expected threads, concurrency or state');
      }
      const orders = {
        ...(threads === undefined ? {} : { wanted_threads: threads }),
        ...(concurrency === undefined ? {} : { wanted_concurrency: concurrency }),
        ...(state === undefined ? {} : { wanted_state: state }),
      };
      await changing(service, request, async (client, tell) => {
        if (!(await orderWorker(client, workerId, orders))) throw notFound();
        await notifyControl(client);
        tell({ action: 'ops.control', outcome: 'done', about: { worker: workerId }, detail: { ...request.body } });
      });
      const { rows } = await service.read(request, (client) => client.query(`select ${columns} from worker where id = $1`, [workerId]));
      return rows[0] ?? { id: workerId, state: 'gone' };
    },
  );
  api.get('/fleet', { config: reads }, async (request) => {
    const hosts = await service.read(request, (client) => readFleet(client));
    return { items: hosts.map(({ host, workers }) => ({ host, wanted: workers })), next: null };
  });
  api.put('/fleet', { config: controls, schema: { body: Fleet } }, async (request) => {
    const { wanted, host = hostname() } = request.body;
    await changing(service, request, async (client, tell) => {
      await setFleet(client, host, wanted);
      await notifyControl(client);
      tell({ action: 'ops.control', outcome: 'done', about: {}, detail: { fleet: host, wanted } });
    });
    return { host, wanted };
  });
};
