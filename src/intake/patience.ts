/** Bytes that come from elsewhere, waited for only so long. */
import { IntakeError } from './intake-error.ts';

/** Hands on what comes, and throws where nothing comes for too long (`upload.idle`), or the signal's reason where it must stop. */
export async function* withPatience(bytes: AsyncIterable<Uint8Array>, idleMs: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]();
  const stopped = Promise.withResolvers<never>();
  stopped.promise.catch(() => undefined); // heard where it is raced with what comes
  const onAbort = () => stopped.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    while (true) {
      const idle = Promise.withResolvers<never>();
      const timer = setTimeout(() => idle.reject(new IntakeError('upload.idle', `nothing came for ${idleMs} ms`)), idleMs);
      const next = await Promise.race([iterator.next(), idle.promise, stopped.promise]).finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
