/** The API: every request is known, decided, and answered in one form. What it is asked for stands in routes/. */
import { randomUUID } from 'node:crypto';
import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import sse from '@fastify/sse';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyRequest, type RouteOptions } from 'fastify';
import { createPasswordChecker } from '../access/password.ts';
import { isAllowed } from '../access/policy.ts';
import { asAccount } from '../store/as-account.ts';
import { appendAudit, type ToldAuditEvent } from '../store/audit.ts';
import { groupCommit } from '../store/group-commit.ts';
import { transaction } from '../store/transaction.ts';
import { auditDecision } from './audit.ts';
import { refuseForgery } from './csrf.ts';
import { describe } from './description.ts';
import { answerAgain, keepAnswer } from './idempotency.ts';
import { identify } from './identity.ts';
import { createLooks } from './looks.ts';
import { notFound, Refusal, refusalOf, refuseUnread, sendProblem } from './problem.ts';
import { addRateLimits, type Rates } from './rate-limits.ts';
import { findAbout } from './resources.ts';
import { type Api, type DeclaredRoute, type RoutePolicy, type Routes, type Service } from './route.ts';
import { createStrangers, noteUnaccepted } from './strangers.ts';
import { traceRequests } from './traces.ts';

export interface ServerOptions {
  readonly service: Service;
  readonly version: string;
  readonly rates?: Rates;
  /** Addresses and networks of proxies that are believed whom they ask for; nobody else is. */
  readonly trustedProxies?: readonly string[];
  /** Below /api/v1. */
  readonly routes: readonly Routes[];
  /** At the root: health, metrics. */
  readonly rootRoutes: readonly Routes[];
}

/** Routes of plugins, which declare no policy of their own. */
const pluginPolicies: readonly (readonly [prefix: string, policy: RoutePolicy | 'public'])[] = [
  ['/api/docs', 'public'],
  ['/ops/board', { action: 'ops.read', about: 'installation' }],
];

export async function createServer(options: ServerOptions): Promise<Api> {
  const { service, routes, rootRoutes, trustedProxies = [] } = options;
  const { log, database } = service.installation;
  const api: Api = Fastify({
    logger: false,
    genReqId: () => randomUUID(), // stands in the audit log
    bodyLimit: 256 * 1024,
    clientErrorHandler: refuseUnread,
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    routerOptions: { maxParamLength: 4096 }, // locators
    frameworkErrors: async (_error, _request, reply) =>
      sendProblem(reply, new Refusal(400, 'http.request', 'the address is malformed or too long')),
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
  });
  api.removeContentTypeParser('text/plain');
  api.setValidatorCompiler(TypeBoxValidatorCompiler);
  const declared: DeclaredRoute[] = [];
  api.decorate('declaredRoutes', declared);
  api.addHook('onRoute', (route) => void declared.push(demandPolicy(route)));
  api.setErrorHandler(async (error: Error, _request, reply) =>
    sendProblem(
      reply,
      refusalOf(error, (failure) => log.error({ err: failure }, 'a request failed')),
    ),
  );
  traceRequests(api);
  await addPlugins(api, options.version, declared);
  await addRateLimits(api, options.rates);
  api.addHook('onRequest', cutSlowBodies);
  api.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store');
    await decide(request, service);
  });
  api.addHook('onClose', () => service.close());
  api.addHook('preHandler', async (request, reply) => {
    if (request.subject !== undefined && (await answerAgain(database, request, reply))) return reply;
  });
  api.addHook('onSend', async (request, reply, payload) => {
    await keepAnswer(database, request, reply, payload);
    return payload;
  });
  api.setNotFoundHandler(async (_request, reply) => sendProblem(reply, notFound()));
  for (const add of rootRoutes) add(api, service);
  await api.register(
    async (scope) => {
      for (const add of routes) add(scope as unknown as Api, service);
    },
    { prefix: '/api/v1' },
  );
  return api;
}

async function addPlugins(api: Api, version: string, declared: readonly DeclaredRoute[]): Promise<void> {
  await api.register(helmet, {
    contentSecurityPolicy: { directives: { defaultSrc: ["'self'"], imgSrc: ["'self'", 'data:'], upgradeInsecureRequests: null } },
    crossOriginEmbedderPolicy: true,
  });
  await api.register(cookie);
  await api.register(sse.default, { heartbeatInterval: 15_000 });
  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Custodia', version, license: { name: 'Apache-2.0' } },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    exposeHeadRoutes: true,
    transformObject: (made) => describe('openapiObject' in made ? made.openapiObject : made.swaggerObject, declared),
  });
  await api.register(swaggerUi, { routePrefix: '/api/docs' });
}

/** Runs when a route is added: one that says not who may call it ends the start of the server. */
function demandPolicy(route: RouteOptions): DeclaredRoute {
  const { method, url, config } = route;
  if (config?.policy !== undefined) return { method, url, policy: config.policy };
  const known = pluginPolicies.find(([prefix]) => route.url === prefix || route.url.startsWith(`${prefix}/`));
  if (known === undefined) throw new Error(`http.policy: ${route.method} ${route.url} declares no policy, expected one in its config`);
  route.config = { ...config, policy: known[1] };
  return { method, url, policy: known[1] };
}

const bodyMs = 30_000;

/** Nobody holds a line by sending slowly. An upload may take days: it is cut when nothing comes any more (src/intake/receive.ts). */
async function cutSlowBodies({ raw, routeOptions }: FastifyRequest): Promise<void> {
  if (routeOptions.config?.ownProtocol === true || raw.complete) return;
  const timer = setTimeout(() => void raw.destroy(), bodyMs);
  raw.once('end', () => clearTimeout(timer));
  raw.once('close', () => clearTimeout(timer));
}

/** Who asks, what about, and whether it may: before anything of the request is read. */
async function decide(request: FastifyRequest, service: Service): Promise<void> {
  const policy = request.is404 ? undefined : request.routeOptions.config.policy;
  if (policy === 'public') return;
  const identity = await identify(service.installation.database, request, service.secure);
  if (identity === null) {
    await noteUnaccepted(service, request);
    throw new Refusal(401, 'http.identity', 'expected a token (Authorization: Bearer ...) or a session');
  }
  request.subject = identity.subject;
  request.credential = identity.credential;
  if (identity.credential.kind === 'session') refuseForgery(request, service.strangers);
  if (policy === undefined) {
    await auditDecision(service, request, { action: 'unknown', allowed: false, found: null });
    throw notFound();
  }
  const found = await findAbout(policy.about, request.params as Record<string, unknown>, (work) => service.read(request, work));
  const allowed = found !== null && isAllowed(request.subject, policy.action, found.resource);
  await auditDecision(service, request, { action: policy.action, allowed, found });
  if (!allowed) throw notFound();
  request.about = found;
}

export interface ServiceSettings {
  readonly secure?: boolean;
}

export function createService(installation: Service['installation'], { secure = false }: ServiceSettings = {}): Service {
  const { database, signer, log } = installation;
  const looks = createLooks(installation);
  const audit = groupCommit<ToldAuditEvent>((events) => transaction(database, (client) => appendAudit(client, signer.privateKey, events)));
  const strangers = createStrangers((event) => {
    audit.add(event).catch((error: unknown) => log.error({ err: error }, 'who was not let in could not be written into the audit log'));
  });
  return {
    installation,
    secure,
    passwords: createPasswordChecker(),
    strangers,
    audit,
    read: (request, read) => asAccount(database, request.subject.accountId, read),
    looked: (request, look) => looks.add(request, look),
    async close() {
      await looks.close();
      strangers.close();
      await audit.drain();
    },
  };
}
