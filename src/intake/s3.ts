/** Objects of S3-compatible stores: only of configured sources, read only, no redirects. The client is loaded when it is first needed. */
import { type Readable } from 'node:stream';
import { type S3Client } from '@aws-sdk/client-s3';
import { type S3Source } from '../config.ts';
import { IntakeError } from './intake-error.ts';

type Library = typeof import('@aws-sdk/client-s3');

let library: Promise<Library> | null = null;
const load = (): Promise<Library> => (library ??= import('@aws-sdk/client-s3'));

const clients = new WeakMap<S3Source, S3Client>();

/** Checksum trailers are not understood by every store: only what an operation demands is sent. */
function clientFor({ S3Client }: Library, source: S3Source): S3Client {
  const known = clients.get(source);
  if (known !== undefined) return known;
  const { endpoint, region, accessKeyId, secretAccessKey } = source;
  const client = new S3Client({
    ...{ endpoint, region, forcePathStyle: true, followRegionRedirects: false, maxAttempts: 3 },
    credentials: { accessKeyId, secretAccessKey },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  clients.set(source, client);
  return client;
}

export interface S3Object {
  readonly size: number;
  readonly etag: string;
}

/** Throws IntakeError (`s3....`). */
export async function describeObject(source: S3Source, key: string, signal: AbortSignal): Promise<S3Object> {
  refuseKey(key);
  const found = await load();
  try {
    const command = new found.HeadObjectCommand({ Bucket: source.bucket, Key: key });
    const { ContentLength: size, ETag: etag } = await withinTime(source, signal, (abortSignal) =>
      clientFor(found, source).send(command, { abortSignal }),
    );
    if (size === undefined || etag === undefined)
      throw new IntakeError('s3.answer', `source '${source.name}': answered without size or ETag`);
    if (size === 0) throw new IntakeError('s3.empty', `source '${source.name}': the object has no bytes`);
    return { size, etag };
  } catch (error) {
    throw refusalOf(source, error);
  }
}

/** A key stands in an address as it is: what a proxy or store reads as a step out of the bucket is refused, whoever would follow it. */
function refuseKey(key: string): void {
  if (key.split(/[/\\]/).some((part) => part === '.' || part === '..') || /\p{Cc}|\p{Cs}/u.test(key))
    throw new IntakeError('s3.key', 'expected a key without controls and without . and .. between its slashes');
}

/** From `offset` to the end, as long as the object is still the one of this ETag. */
export async function openObject(source: S3Source, key: string, etag: string, offset: number, signal: AbortSignal): Promise<Readable> {
  const found = await load();
  try {
    const command = new found.GetObjectCommand({ Bucket: source.bucket, Key: key, Range: `bytes=${offset}-`, IfMatch: etag });
    const { Body, ETag, ContentRange } = await withinTime(source, signal, (abortSignal) =>
      clientFor(found, source).send(command, { abortSignal }),
    );
    if (ETag !== undefined && ETag !== etag)
      throw new IntakeError('s3.changed', `source '${source.name}': the object is another one than at first`);
    if (ContentRange?.startsWith(`bytes ${offset}-`) !== true)
      throw new IntakeError('s3.answer', `source '${source.name}': answered with another range than was asked for`);
    return Body as Readable;
  } catch (error) {
    throw refusalOf(source, error);
  }
}

const answerMs = 30_000;

/** Of an answer the head: what comes behind it is waited for by whoever reads it. Throws IntakeError (`s3.silent`). */
async function withinTime<T>({ name }: S3Source, signal: AbortSignal, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), answerMs);
  try {
    return await ask(AbortSignal.any([signal, late.signal]));
  } catch (error) {
    if (late.signal.aborted) throw new IntakeError('s3.silent', `source '${name}': no answer within ${answerMs / 1000} seconds`);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** What no repetition mends becomes an IntakeError; anything else stays as it is, and is tried again. No word of the store itself is passed on. */
function refusalOf({ name }: S3Source, error: unknown): unknown {
  if (error instanceof IntakeError) return error;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  if (status === 404) return new IntakeError('s3.not-found', `source '${name}': no object of this key`);
  if (status === 412) return new IntakeError('s3.changed', `source '${name}': the object is another one than at first`);
  if (status === 401 || status === 403) return new IntakeError('s3.denied', `source '${name}': access is denied`);
  if (status !== undefined && status >= 300 && status < 400)
    return new IntakeError('s3.redirect', `source '${name}': answered with a redirect, which is not followed`);
  return error;
}
