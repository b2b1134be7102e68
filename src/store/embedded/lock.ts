/** A lock that the operating system releases when its holder dies, however it dies: SQLite's own, on an empty file. */
import { DatabaseSync } from 'node:sqlite';

export interface FolderLock {
  release(): void;
}

/** Null when another process holds it. */
export function takeLock(path: string): FolderLock | null {
  const file = new DatabaseSync(path, { timeout: 0 });
  try {
    file.exec('pragma journal_mode = delete; begin exclusive');
  } catch (error) {
    file.close();
    if (error instanceof Error && /database is locked/.test(error.message)) return null;
    throw error;
  }
  return { release: () => file.close() };
}
