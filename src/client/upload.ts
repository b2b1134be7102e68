/** Sends a file (tus 1.0): its SHA-256 first, then its bytes, from where they were left when the last try ended. */
import { createReadStream } from 'node:fs';
import { basename, resolve } from 'node:path';
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
  /** Of the upload at the service. */
  readonly id: string;
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
  const before = await fileState(file);
  const { size, mark } = before;
  const sha256 = await digestFile(file, (bytes) => order.onProgress({ stage: 'digesting', bytes, size }), order.signal);
  const name = basename(file);
  const id = await sendBytes(connection, order, {
    file,
    name,
    size,
    sha256,
    fingerprint: [connection.server, order.exhibitId, name, mark, sha256].join(' '),
  });
  const after = await fileState(file);
  if (after.mark !== mark)
    throw new ApiError(0, 'client.changed', `${order.file}: changed while it was sent, expected evidence that stays as it is`);
  return { id, name, size, sha256 };
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
      onShouldRetry: (error) => !(error.causingError instanceof ApiError) && worthAnotherTry(answerTo(error)?.getStatus() ?? 0),
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

/** No answer, an upload that another connection holds for a moment, or a service that is not ready. */
const worthAnotherTry = (status: number): boolean => status === 0 || status === 423 || status === 409 || status === 429 || status >= 502;

function errorOf(error: Error | DetailedError, server: string): Error {
  const answer = answerTo(error);
  if (answer !== null) return apiErrorOf(answer.getStatus(), answer.getBody(), 'upload');
  const cause = 'causingError' in error ? error.causingError : error;
  if (cause instanceof ApiError) return cause;
  const text = `${server}: no answer while a file was sent; the same command goes on from there`;
  return new ApiError(0, 'client.unreachable', text, { cause: error });
}
