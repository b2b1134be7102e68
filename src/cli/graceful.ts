/** A process that ends in order whenever it is told to (SIGTERM, Ctrl-C, an error nobody caught): also while it still starts. */
import closeWithGrace from 'close-with-grace';

export interface Running {
  /** `error`: nobody caught it, and the process ends because of it. */
  stop(error: Error | undefined): Promise<void>;
}

const patienceMs = 30_000;

/** What is told to stop while it starts comes to its start first, and then stops: so nothing stays registered or held. `start` may give up earlier. */
export async function startGracefully<T extends Running>(start: (stopped: AbortSignal) => Promise<T>): Promise<T> {
  const stopped = new AbortController();
  const starting = Promise.withResolvers<T>();
  const grace = closeWithGrace({ delay: patienceMs }, async ({ err }) => {
    stopped.abort();
    const running = await starting.promise.catch(() => null); // whoever called is told
    await running?.stop(err);
  });
  start(stopped.signal).then(starting.resolve, starting.reject);
  try {
    return await starting.promise;
  } catch (error) {
    if (!stopped.signal.aborted) grace.uninstall();
    throw error;
  }
}
