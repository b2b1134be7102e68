/** Whether the process lives (/healthz), and whether it can work (/readyz). */
import { type Routes } from '../route.ts';

export interface Health {
  readonly checks: () => Promise<Readonly<Record<string, boolean>>>;
}

export const healthRoutes =
  ({ checks }: Health): Routes =>
  (api) => {
    api.get('/healthz', { config: { policy: 'public' } }, async () => ({ ok: true }));
    api.get('/readyz', { config: { policy: 'public' } }, async (_request, reply) => {
      const found = await checks();
      const ok = Object.values(found).every(Boolean);
      return reply.code(ok ? 200 : 503).send({ ok, checks: found });
    });
  };
