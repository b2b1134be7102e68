/** What went wrong with a request, as RFC 9457 problem documents: a type for each of our codes, and never a word of what was hidden. */
import { STATUS_CODES } from 'node:http';
import { type Socket } from 'node:net';
import { type FastifyReply } from 'fastify';
import { isTransient } from '../store/transaction.ts';

/** Ends a request. `code` stands in docs/ERRORS.md; `detail` says where, found, expected. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly more: Readonly<Record<string, unknown>>;

  constructor(status: number, code: string, detail: string, more: Readonly<Record<string, unknown>> = {}) {
    super(detail);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.more = more;
  }
}

/** One answer for what is not there and for what the asker must not know of. */
export const notFound = () => new Refusal(404, 'http.not-found', 'nothing is here, or nothing that you may see');

const titles: Readonly<Record<number, string>> = {
  400: 'The request cannot be understood',
  401: 'Sign in first',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not offered here',
  406: 'No such form of the answer',
  408: 'Too slow',
  409: 'In conflict with the present state',
  410: 'Gone',
  412: 'Changed in the meantime',
  413: 'Too large',
  415: 'Unsupported type of content',
  416: 'No such range',
  422: 'Cannot be taken in',
  428: 'A condition is needed',
  429: 'Too many requests',
  431: 'Too large',
  500: 'The request failed',
  503: 'Not ready',
  507: 'No room left',
};

export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly [member: string]: unknown;
}

/** RFC 9457, section 3.1. The type is a name, not an address: nothing is fetched to understand it. */
export const problemDocument = ({ status, code, message, more }: Refusal): ProblemDocument => ({
  ...more,
  type: `urn:custodia:problem:${code}`,
  title: titles[status] ?? 'Refused',
  status,
  code,
  detail: message,
});

export function sendProblem(reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { retryAfter } = refusal.more;
  if (typeof retryAfter === 'number') reply.header('retry-after', retryAfter);
  if (refusal.status === 401) reply.header('www-authenticate', 'Bearer');
  return reply
    .code(refusal.status)
    .type('application/problem+json')
    .send(JSON.stringify(problemDocument(refusal)));
}

/** For what came so wrong that no request was made of it; the line is then of no use. */
export function refuseUnread({ code }: Error & { readonly code?: string }, socket: Pick<Socket, 'writable' | 'end' | 'destroy'>): void {
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const refusal =
    code === 'HPE_HEADER_OVERFLOW'
      ? new Refusal(431, 'http.header', 'the address and the headers of a request are at most 16 KB')
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? new Refusal(408, 'http.request', 'the request did not come in time')
        : new Refusal(400, 'http.request', 'this is no HTTP request');
  const body = JSON.stringify(problemDocument(refusal));
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    'content-type: application/problem+json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

interface FastifyFailure extends Error {
  readonly statusCode?: number;
  readonly code?: string;
  readonly validationContext?: string;
  readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[];
}

/** `onFailure` hears of what is no fault of the request; the asker learns only that it failed. */
export function refusalOf(error: FastifyFailure, onFailure: (error: Error) => void): Refusal {
  if (error instanceof Refusal) return error;
  if (error.validation !== undefined) {
    const errors = error.validation.slice(0, 20).map(({ instancePath, message }) => ({ at: instancePath, message: message ?? 'wrong' }));
    const first = errors[0];
    const detail = `${error.validationContext ?? 'request'}${first === undefined ? '' : `${first.at}: ${first.message}`}`;
    return new Refusal(400, 'http.request', detail, { errors });
  }
  const status = error.statusCode ?? 500;
  if (status < 500) return new Refusal(status, status === 429 ? 'http.rate' : 'http.request', error.message);
  onFailure(error);
  if (isTransient(error))
    return new Refusal(503, 'http.busy', 'the database is away or has too much to do: ask again in a moment', { retryAfter: 2 });
  return new Refusal(status === 503 ? 503 : 500, 'http.failed', 'the request failed; the log of the server says why');
}
