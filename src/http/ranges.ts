/** Answers in parts (RFC 9110, sections 13 and 14): one range of bytes, named by a strong tag. */
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { Refusal } from './problem.ts';

export interface Part {
  readonly offset: number;
  readonly length: number;
}

/** Null: the whole, as nothing, or nothing that is understood, was asked for. `unsatisfiable`: none of its bytes is there. */
export function readRange(header: string, size: number): Part | 'unsatisfiable' | null {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/i.exec(header.trim()) ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return null;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { offset: size - length, length };
  }
  const offset = Number(first);
  if (last !== '' && Number(last) < offset) return null;
  if (offset >= size) return 'unsatisfiable';
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  return { offset, length: end - offset + 1 };
}

/**
 * Sets status and headers. Gives what is to be sent: null where nothing of it is (304, HEAD). `tag`: without quotes; null where no digest is known.
 * Throws Refusal (`http.range`).
 */
export function beginPart(request: FastifyRequest, reply: FastifyReply, size: number, tag: string | null): Part | null {
  const { range, 'if-range': ifRange, 'if-none-match': known } = request.headers;
  const quoted = tag === null ? null : `"${tag}"`;
  if (quoted !== null) reply.header('etag', quoted);
  reply.header('accept-ranges', 'bytes');
  const isKnown = (each: string) => each.trim() === '*' || each.trim().replace(/^W\//, '') === quoted;
  if (quoted !== null && known?.split(',').some(isKnown) === true) {
    reply.code(304);
    return null;
  }
  const isWanted = range !== undefined && request.method === 'GET' && (ifRange === undefined || ifRange === quoted);
  const part = isWanted ? readRange(range, size) : null;
  if (part === 'unsatisfiable') {
    reply.header('content-range', `bytes */${size}`);
    throw new Refusal(416, 'http.range', `Range: it begins behind the last byte, expected a part of ${size} bytes`);
  }
  const sent = part ?? { offset: 0, length: size };
  if (part !== null) reply.code(206).header('content-range', `bytes ${part.offset}-${part.offset + part.length - 1}/${size}`);
  reply.header('content-length', sent.length);
  return request.method === 'HEAD' ? null : sent;
}

/** RFC 6266, with a name for old programs (RFC 2616 quoted-string) and the true one (RFC 8187). */
export function attachment(name: string): string {
  const plain = name
    .toWellFormed()
    .replace(/[^\x20-\x7e]|["\\%/;]/g, '_')
    .slice(0, 200);
  const encoded = encodeURIComponent(name.toWellFormed().slice(0, 200).toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
