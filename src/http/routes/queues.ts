/** The queue of units: what waits, whether it is worked on, and whether there is room for more. */
import { wake } from '../../pipeline/control.ts';
import { roomIn } from '../../pipeline/room.ts';
import { notifyControl, readQueueState, setQueueState } from '../../store/control.ts';
import { changing } from '../audit.ts';
import { controlOf } from '../control.ts';
import { type Routes } from '../route.ts';

const states = { pause: 'paused', resume: 'running', drain: 'draining' } as const;

const counted = `select count(*)::int as open, count(*) filter (where lease_until > clock_timestamp() and worker_id is not null)::int as running,
  coalesce(sum(bytes) filter (where worker_id is null), 0)::float8 as "bytesWaiting",
  extract(epoch from clock_timestamp() - min(announced_at) filter (where worker_id is null))::float8 as "oldestSeconds"
  from unit where status = 'open'`;

export const queueRoutes: Routes = (api, service) => {
  const { database, config: settings } = service.installation;
  api.get('/queues', { config: { policy: { action: 'ops.read', about: 'installation' } } }, async (request) => {
    const [state, units, room, queue] = await Promise.all([
      service.read(request, (client) => readQueueState(client)),
      service.read(request, async (client) => (await client.query(counted)).rows[0]),
      roomIn(settings.dataFolder, settings.reserveBytes),
      service.installation.queue(),
    ]);
    // `drained`: nothing is begun, and what was begun has ended
    return {
      name: 'units',
      backend: queue.backend,
      state,
      drained: state !== 'running' && units.running === 0,
      units,
      jobs: await queue.depth(),
      room,
    };
  });
  for (const [verb, state] of Object.entries(states)) {
    api.post(`/queues/units/${verb}`, { config: { policy: { action: 'ops.control', about: 'installation' } } }, async (request) => {
      await changing(service, request, async (client, tell) => {
        await setQueueState(client, state);
        await notifyControl(client);
        tell({ action: 'ops.control', outcome: 'done', about: {}, detail: { queue: state } });
      });
      if (state === 'running') await wake(await controlOf(service), null);
      const { rows } = await database.query(counted);
      return { name: 'units', state, units: rows[0] };
    });
  }
};
