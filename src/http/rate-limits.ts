/** How often somebody may ask: by address before it is known who asks, by account after. Counted in this process. */
import rateLimit from '@fastify/rate-limit';
import { Refusal } from './problem.ts';
import { type Api } from './route.ts';

/** Requests in a minute. */
export interface Rates {
  readonly address: number;
  readonly account: number;
}

const usual: Rates = { address: 6000, account: 3000 };

const refusal = (_request: unknown, { after, ttl }: { after: string; ttl: number }) =>
  new Refusal(429, 'http.rate', `more requests than are answered in a minute: ask again in ${after}`, {
    retryAfter: Math.ceil(ttl / 1000),
  });

export async function addRateLimits(api: Api, { address, account }: Rates = usual): Promise<void> {
  await api.register(rateLimit, {
    global: true,
    max: address,
    timeWindow: 60_000,
    cache: 20_000, // addresses that are remembered
    keyGenerator: ({ ip }) => ip,
    errorResponseBuilder: refusal,
  });
  const byAccount = api.createRateLimit({
    max: account,
    timeWindow: 60_000,
    keyGenerator: ({ subject }) => subject?.accountId ?? 'nobody',
  });
  api.addHook('preHandler', async (request, reply) => {
    if (request.subject === undefined) return;
    const counted = await byAccount(request);
    if (counted.isAllowed || !counted.isExceeded) return;
    reply.header('retry-after', counted.ttlInSeconds);
    throw refusal(request, { after: `${counted.ttlInSeconds} seconds`, ttl: counted.ttl });
  });
}
