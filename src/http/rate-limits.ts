/** How often somebody may ask: by address before it is known who asks, by account after. Counted in this process. */
import rateLimit from '@fastify/rate-limit';
import { type FastifyRequest } from 'fastify';
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
  await api.register(rateLimit, { global: false, keyGenerator: ({ ip }) => ip, cache: 20_000, errorResponseBuilder: refusal }); // of single routes
  const minute = { timeWindow: 60_000, cache: 20_000 }; // so many addresses or accounts are remembered
  const byAddress = api.createRateLimit({ ...minute, max: address, keyGenerator: ({ ip }) => ip });
  const byAccount = api.createRateLimit({ ...minute, max: account, keyGenerator: ({ subject }) => subject.accountId });
  const count = async (limit: typeof byAddress, request: FastifyRequest) => {
    const counted = await limit(request);
    if (counted.isAllowed || !counted.isExceeded) return;
    throw refusal(request, { after: `${counted.ttlInSeconds} seconds`, ttl: counted.ttl });
  };
  // a hook of the whole server: those of single routes run after it is decided who asks, and strangers would never be counted
  api.addHook('onRequest', (request) => count(byAddress, request));
  api.addHook('preHandler', async (request) => {
    if (request.subject !== undefined) await count(byAccount, request);
  });
}
