/** Conditional requests (RFC 9110 section 13): a tag over what a resource looks like, so that nobody overwrites what was not seen. */
import { createHash } from 'node:crypto';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { Refusal } from './problem.ts';

export const tagOf = (shown: object): string => `"${createHash('sha256').update(JSON.stringify(shown)).digest('base64url').slice(0, 22)}"`;

const tagsOf = (header: string): string[] => header.split(',').map((tag) => tag.trim());

/**
 * Gives the resource with its tag; 304 where the asker has it already. `private`: only for whoever asked, and never unasked.
 * `state`: what the tag is of, where not everybody is shown the same of it.
 */
export function sendTagged(request: FastifyRequest, reply: FastifyReply, shown: object, state: object = shown): object | undefined {
  const tag = tagOf(state);
  reply.header('etag', tag).header('cache-control', 'private, no-cache');
  const known = request.headers['if-none-match'];
  if (known === undefined || !tagsOf(known).some((each) => each === '*' || each.replace(/^W\//, '') === tag)) return shown;
  reply.code(304).send();
  return undefined;
}

/** Throws Refusal (`http.changed`) where the asker has seen another state than `shown`. Asked inside the transaction that changes it. */
export function refuseChanged(request: FastifyRequest, shown: object): void {
  const expected = request.headers['if-match'];
  if (expected === undefined || tagsOf(expected).some((each) => each === '*' || each === tagOf(shown))) return;
  throw new Refusal(412, 'http.changed', 'If-Match: it was changed in the meantime, expected the tag that it has now; read it again');
}
