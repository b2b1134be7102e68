/** Asks the service over HTTP: an answer, or an ApiError. A lost connection is tried again, with the same idempotency key. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError, apiErrorOf } from './api-error.ts';

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Asked {
  readonly query?: Query;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Connection {
  readonly server: string;
  /** Null: the requests are anonymous. */
  readonly token: string | null;
  /** The answer as it comes, for what is not to be held in memory. */
  open(method: Method, path: string, asked?: Asked): Promise<Response>;
  ask<T>(method: Method, path: string, asked?: Asked): Promise<T>;
  /** All items of all pages. */
  all<T>(path: string, query?: Query): AsyncGenerator<T, void>;
}

const base = '/api/v1';
/** Between two tries, in milliseconds: a service that restarts is waited for. */
const pauses: readonly number[] = [100, 300, 1000, 2000, 4000];
const longestWaitSeconds = 30;

/** A path below /api/v1: what stands in its holes stays one segment, whatever it holds. */
export function path(parts: TemplateStringsArray, ...holes: readonly string[]): string {
  return parts.reduce((text, part, index) => text + segment(holes[index - 1] ?? '') + part);
}

function segment(text: string): string {
  if (/^\.{0,2}$/.test(text)) throw new ApiError(0, 'client.id', `'${text}': expected an id or a locator`);
  return encodeURIComponent(text.toWellFormed());
}

/** Throws ApiError where `text` is no address of a service. */
export function serverAddress(text: string): string {
  const refused = new ApiError(0, 'client.server', `server '${text}': expected an address such as https://custodia.example.org`);
  if (!URL.canParse(text)) throw refused;
  const url = new URL(text);
  if (!['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') throw refused;
  return url.href.replace(/\/$/, '');
}

export function openConnection(server: string, token: string | null): Connection {
  const address = serverAddress(server);
  const open: Connection['open'] = (method, where, asked = {}) => openPatiently(address, token, method, where, asked);
  const ask = async <T>(method: Method, where: string, asked?: Asked): Promise<T> => {
    const response = await open(method, where, asked);
    const text = await response.text();
    if (text === '') return undefined as T;
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new ApiError(response.status, 'client.answer', `${where}: the answer is no JSON, expected the service`, { cause: error });
    }
  };
  return {
    server: address,
    token,
    open,
    ask,
    async *all<T>(where: string, query: Query = {}) {
      for (let cursor: string | undefined; ; ) {
        const page: { items: readonly T[]; next?: string | null } = await ask('GET', where, { query: { ...query, cursor } });
        yield* page.items;
        if (page.next === null || page.next === undefined) return;
        cursor = page.next;
      }
    },
  };
}

async function openPatiently(address: string, token: string | null, method: Method, where: string, asked: Asked): Promise<Response> {
  const request = requestOf(token, method, asked);
  const url = `${address}${base}${where}${queryText(asked.query ?? {})}`;
  for (let tries = 0; ; tries++) {
    const found = await tryOnce(url, request, where);
    if (found instanceof Response) return found;
    const { error, waitMs } = found;
    const pause = pauses[tries];
    if (pause === undefined || waitMs === null) throw error;
    await sleep(Math.max(pause, waitMs), undefined, asked.signal === undefined ? {} : { signal: asked.signal });
  }
}

function requestOf(token: string | null, method: Method, { body, headers, signal }: Asked): RequestInit {
  return {
    method,
    redirect: 'manual', // the token goes to this server and no other
    headers: {
      accept: 'application/json, application/problem+json;q=0.9, */*;q=0.1',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** `waitMs` null: trying again would give the same. */
interface Failed {
  readonly error: ApiError;
  readonly waitMs: number | null;
}

async function tryOnce(url: string, request: RequestInit, where: string): Promise<Response | Failed> {
  let response: Response;
  try {
    response = await fetch(url, request);
  } catch (error) {
    if (request.signal?.aborted === true) throw error;
    const cause = (error as { cause?: { code?: string; message?: string } }).cause;
    const reason = cause?.code ?? cause?.message ?? (error as Error).message;
    const text = `${new URL(url).origin}: no answer (${reason}); --server or CUSTODIA_SERVER names another`;
    return { error: new ApiError(0, 'client.unreachable', text, { cause: error }), waitMs: 0 };
  }
  if (response.ok) return response;
  const error = apiErrorOf(response.status, await response.text(), where);
  return { error, waitMs: waitAfter(response, error) };
}

function waitAfter(response: Response, { status, code }: ApiError): number | null {
  if (status === 409 && code === 'http.in-progress') return 0;
  if (status !== 429 && status !== 503) return null;
  const seconds = Number(response.headers.get('retry-after') ?? 1);
  return Number.isFinite(seconds) && seconds <= longestWaitSeconds ? seconds * 1000 : null;
}

function queryText(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}
