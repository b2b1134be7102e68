/** The bytes of an entry as they are on the image: a download that no browser shows, and that ends with the right to it. */
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { type FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { type ContentPlace, contentPlace } from '../../store/content.ts';
import { type ShownRecord } from '../../store/entry-search.ts';
import { createAccessWatch } from '../access-watch.ts';
import { notFound, Refusal } from '../problem.ts';
import { attachment, beginPart, type Part } from '../ranges.ts';
import { Id, type Routes, type Service } from '../route.ts';
import { locatorOf } from './entries.ts';

/** A reader that takes nothing for so long gives the thread back. */
const patienceMs = 30_000;

/** Nothing in it runs, loads or is embedded elsewhere, should a browser open it after all. */
const guarded = {
  'content-type': 'application/octet-stream',
  'content-security-policy': "default-src 'none'; sandbox",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
} as const;

export const contentRoutes: Routes = (api, service) => {
  const access = createAccessWatch(service);
  api.get(
    '/examinations/:examinationId/entries/:locator/content',
    {
      config: { policy: { action: 'content.read', about: 'examination' } },
      schema: {
        params: Type.Object({ examinationId: Id, locator: Type.String({ maxLength: 4096 }) }),
        summary: 'The content of one entry',
      },
    },
    async (request, reply) => {
      const { examinationId } = request.params;
      const locator = locatorOf(request);
      const place = await service.read(request, (client) => contentPlace(client, examinationId, locator));
      if (place === null) throw notFound();
      const record = JSON.parse(place.record) as ShownRecord;
      if (record.type !== 'file') throw new Refusal(404, 'content.none', `a ${record.type} has no content, expected a file`);
      reply.headers({ ...guarded, 'content-disposition': attachment(record.name) });
      const part = beginPart(request, reply, record.contentSize ?? record.size, record.digests?.sha256 ?? null);
      if (part === null) return reply.send(Readable.from([]));
      await service.looked(request, { examinationId, how: 'downloaded', locator });
      const ended = new AbortController();
      const unwatch = access.watch(request, () => ended.abort());
      const body = await streamOf(service, reply, { ...place, locator, part }, ended).catch((error: unknown) => {
        unwatch();
        throw error;
      });
      body.once('close', unwatch);
      return reply.send(body);
    },
  );
};

interface Wanted extends ContentPlace {
  readonly locator: string;
  readonly part: Part;
}

/** Resolves when the first bytes are there: what fails before is an answer, what fails after cuts the line. */
async function streamOf(service: Service, reply: FastifyReply, { image, volume, locator, part }: Wanted, ended: AbortController) {
  const { threads, log } = service.installation;
  const body = new PassThrough({ highWaterMark: 1024 * 1024 });
  ended.signal.addEventListener('abort', () => {
    body.destroy();
    reply.raw.destroy(); // what the system holds back for a slow reader goes with it
  });
  reply.raw.once('close', () => ended.abort());
  let sent = 0;
  const begun = Promise.withResolvers<void>();
  const task = { kind: 'read-content', image, locator, volume, part } as const;
  threads
    .run(task, {
      signal: ended.signal,
      async onBatch(batch) {
        if (batch.kind !== 'content') return;
        sent += batch.bytes.length;
        begun.resolve();
        if (!body.write(batch.bytes))
          await once(body, 'drain', { signal: AbortSignal.any([ended.signal, AbortSignal.timeout(patienceMs)]) });
      },
    })
    .then(() => {
      if (sent !== part.length) throw new Error(`content.short: ${sent} bytes were read, expected ${part.length}`);
      begun.resolve();
      body.end();
    })
    .catch((error: Error) => {
      if (!ended.signal.aborted) log.warn({ err: error }, 'content could not be given out to its end');
      if (sent > 0) ended.abort();
      else begun.reject(error);
    });
  await begun.promise;
  return body;
}
