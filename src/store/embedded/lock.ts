/** A lock that the operating system releases when its holder dies, however it dies: SQLite's own, on an empty file. */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

export interface FolderLock {
  release(): void;
}

/** Null when another process holds it. */
export function takeLock(path: string): FolderLock | null {
  closeSync(openSync(path, 'a', 0o600));
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    file.exec('pragma journal_mode = memory; begin exclusive');
  } catch (error) {
    file.close();
    if (error instanceof Error && /database is locked/.test(error.message)) return null;
    throw error;
  }
  return { release: () => file.close() };
}
