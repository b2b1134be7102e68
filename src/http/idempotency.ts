/** Idempotency keys: a POST that is sent again with its key is answered as the first one was, and not done again. */
import { createHash } from 'node:crypto';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { type Pool } from 'pg';
import { Refusal } from './problem.ts';

/**
 * A request that has not answered after so long died with its process; its key is free again. The one gap: where it died between the effect and the
 * keeping of the answer, the effect may come twice; what must be unique is held so by the database as well.
 */
const abandonedAfter = "interval '2 minutes'";
const keptFor = "interval '24 hours'";

/** Requests that are the first with their key: their answer is kept. */
const firsts = new WeakMap<FastifyRequest, string>();

/** Where a part of what is asked for stands in headers (tus 1.0, Creation). */
const askedInHeaders = ['upload-length', 'upload-metadata'] as const;

const digestOf = (request: FastifyRequest): Buffer =>
  createHash('sha256')
    .update(`${request.method} ${request.url}\n`)
    .update(JSON.stringify([request.body ?? null, ...askedInHeaders.map((name) => request.headers[name] ?? null)]))
    .digest();

/** Before the handler: true when the answer was given already. */
export async function answerAgain(database: Pool, request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
  const key = request.headers['idempotency-key'];
  if (request.method !== 'POST' || typeof key !== 'string' || request.routeOptions.config.ownProtocol === true) return false;
  if (!/^[\x21-\x7e]{1,200}$/.test(key))
    throw new Refusal(400, 'http.idempotency-key', 'Idempotency-Key: expected 1 to 200 visible ASCII characters');
  const digest = digestOf(request);
  const { accountId } = request.subject;
  await database.query(
    `delete from idempotency where account_id = $1 and key = $2
       and (created_at < clock_timestamp() - ${keptFor} or (status is null and created_at < clock_timestamp() - ${abandonedAfter}))`,
    [accountId, key],
  );
  await forgetOld(database);
  const { rowCount } = await database.query(
    'insert into idempotency (account_id, key, request_sha256) values ($1, $2, $3) on conflict do nothing',
    [accountId, key, digest],
  );
  if (rowCount === 1) {
    firsts.set(request, key);
    return false;
  }
  const { rows } = await database.query<{ request_sha256: Buffer; status: number | null; body: string | null; location: string | null }>(
    'select request_sha256, status, body, location from idempotency where account_id = $1 and key = $2',
    [accountId, key],
  );
  const known = rows[0];
  if (known === undefined || known.status === null)
    throw new Refusal(409, 'http.in-progress', 'a request with this Idempotency-Key is under way: ask again in a moment');
  if (!known.request_sha256.equals(digest))
    throw new Refusal(422, 'http.idempotency-reused', 'this Idempotency-Key was used for another request, expected a new key for it');
  if (known.body === null)
    throw new Refusal(409, 'http.answered-once', 'this request was answered already, and its answer held a secret that is shown once');
  reply.code(known.status).header('idempotency-replayed', 'true');
  if (known.location !== null) reply.header('location', known.location);
  if (known.body !== '') reply.type('application/json');
  reply.send(known.body);
  return true;
}

/** After the handler: keeps the answer. One that failed on our side may be tried again. */
export async function keepAnswer(database: Pool, request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> {
  const key = firsts.get(request);
  if (key === undefined) return;
  const { accountId } = request.subject;
  if (reply.statusCode >= 400) {
    await database.query('delete from idempotency where account_id = $1 and key = $2 and status is null', [accountId, key]);
    return;
  }
  const secret = request.routeOptions.config.secretAnswer === true;
  const body = secret ? null : typeof payload === 'string' ? payload : '';
  const location = reply.getHeader('location');
  await database.query(
    'update idempotency set status = $3, body = $4, location = $5 where account_id = $1 and key = $2 and status is null',
    [accountId, key, reply.statusCode, body, typeof location === 'string' ? location : null],
  );
}

/** A few each time: more go than come. */
async function forgetOld(database: Pool): Promise<void> {
  await database.query(
    `delete from idempotency where (account_id, key) in (
       select account_id, key from idempotency where created_at < clock_timestamp() - ${keptFor} order by created_at limit 20 for update skip locked)`,
  );
}
