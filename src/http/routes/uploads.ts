/** Uploads by tus 1.0 (tus.io/protocols/resumable-upload) with Creation, Checksum, Expiration and Termination; why by own routes: docs/adr/0014-uploads.md. */
import { type Readable } from 'node:stream';
import { type FastifyReply, type FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { type Intake } from '../../intake/intake.ts';
import { IntakeError } from '../../intake/intake-error.ts';
import { type Checksum, checksumAlgorithms } from '../../intake/receive.ts';
import { type ListedUpload, listUploads, readUpload, type Upload } from '../../store/uploads.ts';
import { createAccessWatch } from '../access-watch.ts';
import { intakeOf, refusalOfIntake, refusing } from '../intake.ts';
import { PageQuery, pageOf, readIdCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { type Api, closed, Id, type Routes, type Service } from '../route.ts';

const Params = Type.Object({ uploadId: Id });
const version = '1.0.0';
const bodyType = 'application/offset+octet-stream';

/** So long the last request of an upload waits for what becomes of it; longer checks are asked for later. */
const patienceMs = 10_000;

export const uploadRoutes: Routes = (api, service) => {
  const intake = intakeOf(api, service);
  api.register(async (scope) => {
    // read by the handler, as they come, and by no other route; what says to be of another type is held to the limit of every body
    scope.addContentTypeParser(bodyType, (_request, payload, done) => done(null, payload));
    addTransfer(scope as unknown as Api, service, intake);
  });
  api.options('/uploads', { config: { policy: 'public', ownProtocol: true } }, async (_request, reply) =>
    reply
      .code(204)
      .headers({
        'tus-resumable': version,
        'tus-version': version,
        'tus-extension': 'creation,checksum,expiration,termination',
        'tus-checksum-algorithm': checksumAlgorithms.join(','),
      })
      .send(),
  );
  addCreation(api, intake);
  addList(api, service, intake);
};

function addList(api: Api, service: Service, intake: Intake): void {
  api.get(
    '/exhibits/:exhibitId/uploads',
    {
      config: { policy: { action: 'exhibit.read', about: 'exhibit' } },
      schema: { params: Type.Object({ exhibitId: Id }), querystring: Type.Object(PageQuery, closed) },
    },
    async (request) => {
      const { exhibitId } = request.params;
      const { limit = usualLimit, cursor } = request.query;
      const question = ['uploads', exhibitId];
      const before = readIdCursor(question, cursor);
      const rows = await service.read(request, (client) => listUploads(client, exhibitId, before, limit + 1));
      const { items, next } = pageOf(rows, limit, question, ({ id }) => [id]);
      const shown = items.map(async (upload) =>
        asAnswer(upload, upload.status === 'receiving' ? await intake.receivedBytes(upload.id) : Number(upload.size)),
      );
      return { items: await Promise.all(shown), next };
    },
  );
}

function addCreation(api: Api, intake: Intake): void {
  api.post(
    '/exhibits/:exhibitId/uploads',
    {
      config: { policy: { action: 'evidence.submit', about: 'exhibit' } },
      schema: { params: Type.Object({ exhibitId: Id }) },
    },
    async (request, reply) => {
      speakTus(request, reply);
      const size = lengthOf(request, 'upload-length');
      const { name, sha256 } = metadataOf(request);
      const { agencyId } = request.about;
      if (agencyId === undefined) throw notFound();
      const begun = await refusing(
        intake.begin({
          exhibitId: request.params.exhibitId,
          agencyId,
          accountId: request.subject.accountId,
          credential: request.credential.kind,
          name,
          size,
          expectedSha256: sha256,
        }),
      );
      return reply
        .code(201)
        .headers({ location: `/api/v1/uploads/${begun.id}`, 'upload-expires': expiryOf(begun, intake) })
        .send();
    },
  );
}

function addTransfer(api: Api, service: Service, intake: Intake): void {
  const config = { policy: { action: 'evidence.submit', about: 'upload' }, ownProtocol: true } as const;
  const { database } = service.installation;
  const access = createAccessWatch(service);
  const find = async (id: string) => (await readUpload(database, id)) ?? Promise.reject(notFound());
  api.head('/uploads/:uploadId', { config, schema: { params: Params } }, async (request, reply) => {
    speakTus(request, reply);
    const upload = await find(request.params.uploadId);
    refuseEnded(upload);
    const offset = upload.status === 'receiving' ? await intake.receivedBytes(upload.id) : Number(upload.size);
    const expires = upload.status === 'receiving' ? { 'upload-expires': expiryOf(upload, intake) } : {};
    return reply
      .code(200)
      .headers({ 'upload-offset': String(offset), 'upload-length': upload.size, ...expires })
      .send();
  });
  api.get('/uploads/:uploadId', { config, schema: { params: Params } }, async (request) => {
    const upload = await find(request.params.uploadId);
    return asAnswer(upload, upload.status === 'receiving' ? await intake.receivedBytes(upload.id) : Number(upload.size));
  });
  api.patch('/uploads/:uploadId', { config, schema: { params: Params } }, async (request, reply) => {
    speakTus(request, reply);
    if (request.headers['content-type'] !== bodyType) throw new Refusal(415, 'upload.type', `Content-Type: expected ${bodyType}`);
    const { uploadId } = request.params;
    const offset = lengthOf(request, 'upload-offset');
    const checksum = checksumOf(request);
    reply.header('connection', 'close'); // for an answer before all has come; taken back where all has
    const unwatch = access.watch(request, () => request.raw.destroy());
    const received = await refusing(intake.receive({ uploadId, offset, bytes: bytesOf(request), checksum })).finally(unwatch);
    reply.removeHeader('connection');
    if (received.complete) {
      const ended = await intake.waitForEnd(uploadId, patienceMs);
      if (ended.status === 'failed') throw refusalOfIntake({ code: ended.problem_code!, message: ended.problem! });
    }
    return reply.code(204).header('upload-offset', String(received.offset)).send();
  });
  api.delete('/uploads/:uploadId', { config, schema: { params: Params } }, async (request, reply) => {
    speakTus(request, reply);
    await refusing(intake.cancel(request.params.uploadId));
    return reply.code(204).send();
  });
}

function speakTus(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('tus-resumable', version);
  if (request.headers['tus-resumable'] === version) return;
  reply.header('tus-version', version);
  throw new Refusal(412, 'upload.version', `Tus-Resumable: expected ${version}`);
}

function lengthOf(request: FastifyRequest, header: 'upload-length' | 'upload-offset'): number {
  const text = request.headers[header];
  const least = header === 'upload-length' ? 1 : 0;
  if (typeof text === 'string' && /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text)) && Number(text) >= least)
    return Number(text);
  throw new Refusal(400, 'upload.header', `${header}: expected a whole number of bytes, at least ${least}`);
}

/** `filename` and `sha256` (64 hex digits), each behind its name in base64: tus 1.0, Upload-Metadata. Both are demanded. */
function metadataOf(request: FastifyRequest): { name: string; sha256: string } {
  const text = request.headers['upload-metadata'];
  const pairs = new Map<string, string>();
  for (const pair of typeof text === 'string' ? text.split(',') : []) {
    const [key, value = '', ...rest] = pair.trim().split(' ');
    if (key === undefined || key === '' || rest.length > 0 || pairs.has(key) || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
      throw new Refusal(400, 'upload.header', 'upload-metadata: expected pairs of a name and its value in base64, each name once');
    pairs.set(key, Buffer.from(value, 'base64').toString('utf8'));
  }
  const [name, sha256] = [pairs.get('filename'), pairs.get('sha256')?.toLowerCase()];
  if (name === undefined || sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256))
    throw new Refusal(400, 'upload.header', 'upload-metadata: expected filename, and sha256 with 64 hex digits');
  return { name, sha256 };
}

const digestBytes = { sha256: 32, sha1: 20, md5: 16 } as const;

function checksumOf(request: FastifyRequest): Checksum | null {
  const text = request.headers['upload-checksum'];
  if (text === undefined) return null;
  const [, named, encoded] = /^(\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(String(text)) ?? [];
  const algorithm = checksumAlgorithms.find((known) => known === named);
  const value = Buffer.from(encoded ?? '', 'base64');
  if (algorithm === undefined || value.length !== digestBytes[algorithm])
    throw new Refusal(400, 'upload.header', `upload-checksum: expected one of ${checksumAlgorithms.join(', ')} and the digest in base64`);
  return { algorithm, value };
}

/** A connection that breaks is no fault of ours. */
async function* bytesOf(request: FastifyRequest): AsyncGenerator<Uint8Array> {
  try {
    yield* request.body as Readable;
  } catch (error) {
    throw new IntakeError('upload.aborted', 'the connection broke before all of the request had come', { cause: error });
  }
}

const expiryOf = ({ touched_at }: Upload, { settings }: Intake): string => new Date(touched_at.getTime() + settings.expiryMs).toUTCString();

function refuseEnded({ status, problem_code, problem }: Upload): void {
  if (status === 'failed') throw new Refusal(410, problem_code!, problem!);
  if (status === 'cancelled') throw new Refusal(410, 'upload.ended', 'the upload was given up');
}

export const asAnswer = (upload: ListedUpload, received: number) => ({
  id: upload.id,
  exhibitId: upload.exhibit_id,
  origin: upload.origin,
  name: upload.name,
  size: Number(upload.size),
  received,
  status: upload.status,
  sha256: upload.sha256,
  problem: upload.problem_code === null ? null : { code: upload.problem_code, detail: upload.problem },
  created: upload.created_at,
  ended: upload.ended_at,
});
