/** Sends a file (tus 1.0): its SHA-256 first, then its bytes, from where they were left when the last try ended. */
import { createReadStream } from 'node:fs';
import { basename, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DetailedError, Upload } from 'tus-js-client';
import { ApiError, apiErrorOf } from './api-error.ts';
import { type Connection, path } from './connection.ts';
import { digestFile, fileState } from './file-digest.ts';
import { uploadPlaces } from './upload-places.ts';

export interface UploadProgress {
  readonly stage: 'digesting' | 'sending';
  readonly bytes: number;
  readonly size: number;
}

export interface Sent {
  /** It was there already, from a call before. */
  readonly known: boolean;
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

export interface UploadOrder {
  readonly exhibitId: string;
  readonly file: string;
  /** Where it is remembered which uploads are under way. */
  readonly stateFolder: string;
  readonly onProgress: (progress: UploadProgress) => void;
  readonly signal: AbortSignal;
}

/** Pieces in which a file is sent: what a lost connection costs at most is one of them. */
const pieceBytes = 64 * 1024 * 1024;
const retryDelays = [200, 1000, 3000, 5000, 10_000];

/** Throws ApiError; what was sent until then is not sent again by the next call. */
export async function sendFile(connection: Connection, order: UploadOrder): Promise<Sent> {
  const file = resolve(order.file);
  const { size, mark } = await fileState(file);
  const sha256 = await digestFile(file, (bytes) => order.onProgress({ stage: 'digesting', bytes, size }), order.signal);
  const name = basename(file);
  const known = await isThere(connection, order.exhibitId, name, sha256);
  if (!known) {
    const fingerprint = [connection.server, order.exhibitId, name, mark, sha256].join(' ');
    const id = await sendBytes(connection, order, { file, name, size, sha256, fingerprint });
    await waitForUpload(connection, id, order.signal);
  }
  const after = await fileState(file);
  if (after.mark !== mark)
    throw new ApiError(0, 'client.changed', `${order.file}: changed while it was sent, expected evidence that stays as it is`);
  return { known, name, size, sha256 };
}

async function isThere(connection: Connection, exhibitId: string, name: string, sha256: string): Promise<boolean> {
  for await (const segment of connection.all<{ name: string; sha256: string | null }>(path`/exhibits/${exhibitId}/segments`)) {
    if (segment.name === name && segment.sha256 === sha256) return true;
  }
  return false;
}

const pollMs = 500;

/** Until what was sent, or fetched by the service, is a segment. Throws ApiError with the reason why it is none. */
export async function waitForUpload(connection: Connection, id: string, signal: AbortSignal): Promise<void> {
  while (true) {
    const found = await connection.ask<{ status: string; problem: { code: string; detail: string } | null }>('GET', path`/uploads/${id}`, {
      signal,
    });
    if (found.status === 'accepted') return;
    if (found.problem !== null) throw new ApiError(422, found.problem.code, found.problem.detail);
    if (found.status === 'cancelled') throw new ApiError(410, 'upload.ended', 'the upload was given up');
    await sleep(pollMs, undefined, { signal });
  }
}

interface Bytes {
  readonly file: string;
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
  readonly fingerprint: string;
}

function sendBytes(connection: Connection, order: UploadOrder, { file, name, size, sha256, fingerprint }: Bytes): Promise<string> {
  const { server, token } = connection;
  const { exhibitId, signal, onProgress } = order;
  return new Promise<string>((done, failed) => {
    const stop = (reason: unknown) => upload.abort().then(() => failed(reason), failed);
    const onReadError = (error: Error) =>
      stop(new ApiError(0, 'image.unreadable', `${order.file}: cannot be read (${error.message})`, { cause: error }));
    const upload = new Upload(Buffer.alloc(0), {
      endpoint: `${server}/api/v1${path`/exhibits/${exhibitId}/uploads`}`,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      metadata: { filename: name, sha256 },
      chunkSize: pieceBytes,
      retryDelays,
      urlStorage: uploadPlaces(order.stateFolder),
      fileReader: {
        openFile: async () => ({ size, slice: async (start, end) => sliceOf(file, start, end, size, onReadError), close: () => undefined }),
      },
      fingerprint: async () => fingerprint,
      removeFingerprintOnSuccess: true,
      onBeforeRequest: (request) => refuseOtherServer(request.getURL(), server),
      onShouldRetry: worthAnotherTry,
      onProgress: (bytes) => onProgress({ stage: 'sending', bytes, size }),
      onError: (error) => failed(errorOf(error, server)),
      onSuccess: () => done(new URL(upload.url!).pathname.split('/').at(-1)!),
    });
    signal.addEventListener('abort', () => void stop(signal.reason), { once: true });
    upload.findPreviousUploads().then(([previous]) => {
      if (previous !== undefined) upload.resumeFromPreviousUpload(previous);
      upload.start();
    }, failed);
  });
}

function sliceOf(file: string, start: number, end: number, size: number, onError: (error: Error) => void) {
  const stream = createReadStream(file, { start, end: Math.min(end, size) - 1, highWaterMark: 256 * 1024 }).once('error', onError);
  return { value: Object.assign(stream, { size: Math.min(end, size) - start }), done: end >= size };
}

/** The place of an upload is told by an answer: the token follows it nowhere else. */
function refuseOtherServer(url: string, server: string): void {
  if (new URL(url).origin !== new URL(server).origin)
    throw new ApiError(0, 'client.answer', `${server}: leads to ${new URL(url).origin} for the upload, expected itself`);
}

const answerTo = (error: Error | DetailedError) => ('originalResponse' in error ? error.originalResponse : null);

/** No answer, an upload that another connection holds for a moment or has taken further, or a service that is not ready. */
function worthAnotherTry(error: DetailedError): boolean {
  if (error.causingError instanceof ApiError) return false;
  const answer = answerTo(error);
  if (answer === null) return true;
  const status = answer.getStatus();
  if (status === 429 || status >= 502) return status !== 507;
  return ['upload.busy', 'upload.offset', 'upload.aborted', 'intake.closing'].includes(apiErrorOf(status, answer.getBody(), 'upload').code);
}

function errorOf(error: Error | DetailedError, server: string): Error {
  const answer = answerTo(error);
  if (answer !== null) return apiErrorOf(answer.getStatus(), answer.getBody(), 'upload');
  const cause = 'causingError' in error ? error.causingError : error;
  if (cause instanceof ApiError) return cause;
  const text = `${server}: no answer while a file was sent; the same command goes on from there`;
  return new ApiError(0, 'client.unreachable', text, { cause: error });
}
