/** The first part of the API: health, submit, status, report. Everything but health needs the installation's token. */
import { timingSafeEqual } from 'node:crypto';
import { createReadStream } from 'node:fs';
import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { type Static, Type } from 'typebox';

/** What the API asks of the rest: given by serve.ts. */
export interface ApiWork {
  healthy(): Promise<{ readonly ok: boolean; readonly checks: Readonly<Record<string, boolean>> }>;
  /** Throws RefusedError for what cannot be taken in. */
  submit(request: SubmitRequest): Promise<{ readonly id: string; readonly resumed: boolean }>;
  status(id: string): Promise<unknown | null>;
  list(): Promise<readonly unknown[]>;
  /** Path of a file of the report, made where it is not there yet; null before the examination has ended. */
  reportFile(id: string, name: ReportFile): Promise<string | null>;
}

/** The request cannot be taken in: `code` stands in docs/ERRORS.md. */
export class RefusedError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'RefusedError';
    this.code = code;
  }
}

const name = { minLength: 1, maxLength: 500 };
const Submit = Type.Object(
  {
    image: Type.String({ minLength: 1, maxLength: 4096 }),
    case: Type.String(name),
    exhibit: Type.String(name),
    examiner: Type.String(name),
  },
  { additionalProperties: false },
);
export type SubmitRequest = Static<typeof Submit>;

const Id = Type.Object({ id: Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' }) });

const reportFiles = {
  'report.json': 'application/json',
  'report.html': 'text/html; charset=utf-8',
  'entries.csv': 'text/csv; charset=utf-8',
  'entries.jsonl': 'application/jsonl',
  'problems.jsonl': 'application/jsonl',
  'ledger.jsonl': 'application/jsonl',
  'leaves.json': 'application/json',
  'signer.pub': 'application/x-pem-file',
  'manifest.dsse.json': 'application/json',
} as const;
export type ReportFile = keyof typeof reportFiles;

/** `onFailure` hears of what is no fault of the request. */
export function createApi(work: ApiWork, token: string, onFailure: (error: Error) => void): FastifyInstance {
  const api = Fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    requestTimeout: 30_000, // of a request that comes in, not of the answer: nobody holds a line by sending slowly
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });
  api.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
    if (request.routeOptions.url === '/healthz' || isToken(request.headers.authorization, token)) return;
    await reply.code(401).header('www-authenticate', 'Bearer').send({ code: 'http.token', message: 'a bearer token is needed' });
  });
  api.setErrorHandler(async (error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    if (error instanceof RefusedError) return reply.code(422).send({ code: error.code, message: error.message });
    const status = error.statusCode ?? 500;
    if (status >= 500) onFailure(error);
    return reply
      .code(status)
      .send(status < 500 ? { code: 'http.request', message: error.message } : { code: 'http.failed', message: 'the request failed' });
  });
  api.get('/healthz', async (_request, reply) => {
    const health = await work.healthy();
    return reply.code(health.ok ? 200 : 503).send(health);
  });
  api.post<{ Body: SubmitRequest }>('/examinations', { schema: { body: Submit } }, async (request, reply) =>
    reply.code(202).send(await work.submit(request.body)),
  );
  api.get('/examinations', async () => work.list());
  api.get<{ Params: { id: string } }>('/examinations/:id', { schema: { params: Id } }, async (request, reply) => {
    const status = await work.status(request.params.id);
    return status === null ? notFound(reply) : status;
  });
  api.get<{ Params: { id: string; file: string } }>('/examinations/:id/report/:file', async (request, reply) => {
    const { id, file } = request.params;
    if (!Object.hasOwn(reportFiles, file) || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return notFound(reply);
    const path = await work.reportFile(id, file as ReportFile);
    if (path === null) return notFound(reply);
    return reply
      .type(reportFiles[file as ReportFile])
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
      .send(createReadStream(path));
  });
  return api;
}

const notFound = (reply: FastifyReply) => reply.code(404).send({ code: 'http.not-found', message: 'nothing is here' });

function isToken(header: string | undefined, token: string): boolean {
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
