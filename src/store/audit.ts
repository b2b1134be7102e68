/** The audit log: one chain for the whole installation, appended under a lock of its head. */
import { type KeyObject } from 'node:crypto';
import { type Pool, type PoolClient } from 'pg';
import { type AuditEvent, sealAuditEvent } from '../custody/audit-event.ts';
import { utcTime } from '../custody/time.ts';

/** What happened; when it was written is added where the head is held. */
export type ToldAuditEvent = Omit<AuditEvent, 'at'>;

/** Appends in the caller's transaction; the head stays locked until it ends. */
export async function appendAudit(client: PoolClient, privateKey: KeyObject, told: readonly ToldAuditEvent[]): Promise<void> {
  const { rows } = await client.query<{ seq: string; digest: string }>('select seq, digest from audit_head for update');
  let head = { seq: Number(rows[0]!.seq), digest: rows[0]!.digest };
  const lines = told.map((event) => {
    const at = utcTime(new Date());
    const { envelope, digest } = sealAuditEvent(head, { ...event, at }, privateKey);
    head = { seq: head.seq + 1, digest };
    return { seq: head.seq, envelope, digest, account: event.who.account, agency: agencyOf(event), ...pick(event), at };
  });
  const column = <K extends keyof (typeof lines)[number]>(name: K) => lines.map((line) => line[name]);
  await client.query(
    `with appended as (
       insert into audit (seq, envelope, digest, account_id, agency_id, action, outcome, at)
       select * from unnest($1::bigint[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::timestamptz[]))
     update audit_head set seq = $9, digest = $10`,
    [
      column('seq'),
      column('envelope'),
      column('digest'),
      column('account'),
      column('agency'),
      column('action'),
      column('outcome'),
      column('at'),
      head.seq,
      head.digest,
    ],
  );
}

const pick = ({ action, outcome }: ToldAuditEvent) => ({ action, outcome });

/** Whose auditors see it: of the agency that it was about, else of the one who asked. */
const agencyOf = ({ about, who }: ToldAuditEvent): string | null => about.agency ?? who.agency;

export interface AuditFilter {
  readonly account?: string;
  readonly action?: string;
  readonly outcome?: string;
  readonly from?: string;
  readonly to?: string;
}

/** Newest first, from below `before`, as far as the reader may see. */
export async function listAudit(
  client: PoolClient,
  filter: AuditFilter,
  before: number | null,
  limit: number,
): Promise<{ seq: number; envelope: string }[]> {
  const { rows } = await client.query<{ seq: string; envelope: string }>(
    `select seq, envelope from audit
     where ($1::bigint is null or seq < $1) and ($2::uuid is null or account_id = $2) and ($3::text is null or action = $3)
       and ($4::text is null or outcome = $4) and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
     order by seq desc limit $7`,
    [before, filter.account ?? null, filter.action ?? null, filter.outcome ?? null, filter.from ?? null, filter.to ?? null, limit],
  );
  return rows.map(({ seq, envelope }) => ({ seq: Number(seq), envelope }));
}

/** In order, from behind `after`: for an export. */
export async function nextAuditLines(client: PoolClient, after: number, limit: number): Promise<{ seq: number; envelope: string }[]> {
  const { rows } = await client.query<{ seq: string; envelope: string }>(
    'select seq, envelope from audit where seq > $1 order by seq limit $2',
    [after, limit],
  );
  return rows.map(({ seq, envelope }) => ({ seq: Number(seq), envelope }));
}

export async function readAuditHead(pool: Pool): Promise<{ seq: number; digest: string }> {
  const { rows } = await pool.query<{ seq: string; digest: string }>('select seq, digest from audit_head');
  return { seq: Number(rows[0]!.seq), digest: rows[0]!.digest };
}
