/** Requests that another site makes with somebody's cookie: refused before they have an effect (OWASP Cross-Site Request Forgery Prevention). */
import { type FastifyRequest } from 'fastify';
import { Refusal } from './problem.ts';
import { type Strangers } from './strangers.ts';

const safe = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Of a request that a cookie speaks for. Throws Refusal (`http.forged`). */
export function refuseForgery(request: FastifyRequest, strangers: Strangers): void {
  if (safe.has(request.method)) return;
  refuseOtherOrigin(request, strangers);
  if (request.headers['x-custodia-csrf'] === undefined)
    throw forged(request, strangers, 'header', 'a session needs the header X-Custodia-CSRF: 1 on requests that change something');
}

function forged(request: FastifyRequest, strangers: Strangers, reason: string, detail: string): Refusal {
  strangers.note(request, { action: 'request.forged', outcome: 'denied', detail: { reason } });
  return new Refusal(403, 'http.forged', detail);
}

/** What browsers say of where a request comes from; other programs say nothing. */
export function refuseOtherOrigin(request: FastifyRequest, strangers: Strangers): void {
  const { headers, host, protocol } = request;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    throw forged(request, strangers, 'site', 'the request comes from another site, expected one of this origin');
  const { origin } = headers;
  if (origin !== undefined && origin !== `${protocol}://${host}` && !isSameHost(origin, host))
    throw forged(request, strangers, 'origin', 'the request comes from another origin, expected this one');
}

/** Behind a proxy that ends TLS the scheme differs; the host does not. */
const isSameHost = (origin: string, host: string): boolean => URL.canParse(origin) && new URL(origin).host === host;
