/** The ledger of an exhibit: appended under a lock of its head, so that its sequence is dense and each event names the one before. */
import { type Pool, type PoolClient } from 'pg';
import { queries } from './schema.ts';

export interface LedgerHead {
  /** Of the newest event; -1 before the first. */
  readonly seq: number;
  /** Digest of the newest event; empty before the first. */
  readonly digest: string;
}

export interface SealedEvent {
  /** One DSSE envelope as JSON on one line. */
  readonly envelope: string;
  readonly digest: string;
}

/**
 * Appends an event in the caller's transaction. `eventKey` makes it happen once: where it stands already nothing is appended and false is given.
 * The head stays locked until the transaction ends.
 */
export async function appendEvent(
  client: PoolClient,
  exhibitId: string,
  eventKey: string,
  seal: (head: LedgerHead) => SealedEvent,
): Promise<boolean> {
  const database = queries(client);
  await database
    .insertInto('ledger_head')
    .values({ exhibit_id: exhibitId, seq: -1, digest: '' })
    .onConflict((conflict) => conflict.column('exhibit_id').doNothing())
    .execute();
  const row = await database
    .selectFrom('ledger_head')
    .selectAll()
    .where('exhibit_id', '=', exhibitId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const known = await database
    .selectFrom('ledger')
    .select('seq')
    .where('exhibit_id', '=', exhibitId)
    .where('event_key', '=', eventKey)
    .executeTakeFirst();
  if (known !== undefined) return false;
  const head = { seq: Number(row.seq), digest: row.digest };
  const { envelope, digest } = seal(head);
  await database
    .insertInto('ledger')
    .values({ exhibit_id: exhibitId, seq: head.seq + 1, envelope, digest, event_key: eventKey })
    .execute();
  await database
    .updateTable('ledger_head')
    .set({ seq: head.seq + 1, digest })
    .where('exhibit_id', '=', exhibitId)
    .execute();
  return true;
}

/** The envelopes of an exhibit in order. */
export async function readLedger(pool: Pool, exhibitId: string): Promise<string[]> {
  const rows = await queries(pool).selectFrom('ledger').select('envelope').where('exhibit_id', '=', exhibitId).orderBy('seq').execute();
  return rows.map(({ envelope }) => envelope);
}
