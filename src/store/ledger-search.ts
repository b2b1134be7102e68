/** The ledger of an exhibit as the API reads it. */
import { type PoolClient } from 'pg';

export interface LedgerLine {
  readonly seq: number;
  readonly envelope: string;
  readonly digest: string;
}

/** In order, from the event after `after` on. */
export async function ledgerLines(client: PoolClient, exhibitId: string, after: number, limit: number): Promise<LedgerLine[]> {
  const { rows } = await client.query<{ seq: string; envelope: string; digest: string }>(
    'select seq, envelope, digest from ledger where exhibit_id = $1 and seq > $2 order by seq limit $3',
    [exhibitId, after, limit],
  );
  return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
}
