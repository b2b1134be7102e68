/** Where evidence is kept, as a few functions: a folder today, and nothing in them that object storage could not do (docs/adr/0012-store.md). */

/** What came in so far lies under the id of its upload; what was compared lies under its SHA-256 and is never written again. There is no delete. */
export interface ObjectStore {
  /** Makes an empty incoming file; one that is there stays as it is. */
  begin(uploadId: string): Promise<void>;
  /** Bytes that have come so far; null where nothing was begun. */
  receivedBytes(uploadId: string): Promise<number | null>;
  /** Open for appending at `offset`, which must be what has been received. Throws IntakeError (`upload.offset`). */
  append(uploadId: string, offset: number): Promise<Appending>;
  /** Where a thread finds what came in, to digest it. */
  incomingPath(uploadId: string): string;
  /** Gives what came in its name by content. Twice is as good as once, and a crash in between leaves nothing or a whole object. */
  adopt(uploadId: string, sha256: string, size: number): Promise<void>;
  /** Whether the object of this digest is what came in by this upload, as far as it has been given its name: a crash may have come in between. */
  isAdopted(uploadId: string, sha256: string): Promise<boolean>;
  /** Size of an object; null where there is none. */
  sizeOf(sha256: string): Promise<number | null>;
  objectPath(sha256: string): string;
  /** Throws away what came in and was not adopted. */
  discard(uploadId: string): Promise<void>;
  /** Ids of everything that lies there incoming, with its age. */
  incoming(): Promise<readonly { readonly uploadId: string; readonly ageMs: number }[]>;
}

export interface Appending {
  write(bytes: Uint8Array): Promise<void>;
  /** On the disk: what was acknowledged is not lost. */
  sync(): Promise<void>;
  /** Takes back what was written since it was opened. */
  takeBack(): Promise<void>;
  close(): Promise<void>;
}
