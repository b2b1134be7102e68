/** Group commit: what comes in while a write is under way is written by the next one, all of it in one transaction, and everyone waits for its own. */

export interface GroupCommit<T> {
  /** Resolved once it is durable; what the write throws is thrown here. */
  add(item: T): Promise<void>;
  /** Once everything that was added is written, or has failed. */
  drain(): Promise<void>;
}

interface Waiting<T> {
  readonly item: T;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

const mostAtOnce = 500;
const mayWait = 20_000;

export function groupCommit<T>(write: (items: readonly T[]) => Promise<void>): GroupCommit<T> {
  let waiting: Waiting<T>[] = [];
  let writing: Promise<void> | null = null;

  async function writeAll(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, mostAtOnce);
      waiting = waiting.slice(mostAtOnce);
      try {
        await write(group.map(({ item }) => item));
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
    writing = null;
  }

  return {
    add: (item) =>
      new Promise<void>((done, failed) => {
        if (waiting.length >= mayWait) {
          failed(new Error(`${waiting.length} records wait to be written: the database does not keep up`));
          return;
        }
        waiting.push({ item, done, failed });
        writing ??= Promise.resolve().then(writeAll); // not at once: what comes in the same turn goes along
      }),
    async drain() {
      while (writing !== null) await writing;
    },
  };
}
