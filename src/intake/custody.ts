/** The ledger's event of a segment that was received: signed and appended in the transaction that accepts it. */
import { hostname } from 'node:os';
import { type PoolClient } from 'pg';
import { sealNext } from '../custody/chain.ts';
import { type CustodyEvent } from '../custody/event.ts';
import { type Signer } from '../custody/signer.ts';
import { utcTime, zonedTime } from '../custody/time.ts';
import { appendEvent } from '../store/ledger.ts';
import { type StatTuple } from '../store/schema.ts';
import { type Segment } from '../store/segments.ts';

export interface ReceivedSegment {
  readonly segment: Segment;
  /** Where it lies, and what the file is there. */
  readonly path: string;
  readonly file: StatTuple;
  /** `session` or `token`. */
  readonly credential: string;
  /** Whether it was compared with a digest that the submitter told. */
  readonly compared: boolean;
  readonly occurred: Date;
}

const ways = {
  upload: 'segment uploaded',
  s3: 'segment fetched from S3',
  place: 'segment taken in where it lies, below an evidence root',
} as const;

export async function recordSegment(client: PoolClient, signer: Signer, version: string, received: ReceivedSegment): Promise<void> {
  const { segment, path, file, credential, compared, occurred } = received;
  const { rows } = await client.query<{ reference: string; label: string; name: string; roles: string[] }>(
    `select reference, label, account.name,
       array(select role from case_member where case_member.case_id = exhibit.case_id and case_member.account_id = account.id order by role) as roles
     from exhibit join case_file on case_file.id = case_id, account
     where exhibit.id = $1 and account.id = $2`,
    [segment.exhibit_id, segment.account_id],
  );
  const { reference, label, name, roles } = rows[0]!;
  const event: Omit<CustodyEvent, 'recordedAt'> = {
    exhibit: { case: reference, label },
    type: 'received',
    actor: { name, role: roles.join(', ') || 'none in the case', authenticator: credential },
    occurredAt: zonedTime(occurred),
    clock: { source: 'system', uncertaintyMs: 500 },
    place: { host: hostname() },
    why: { text: ways[segment.origin] + (compared ? '; SHA-256 equal to the one that the submitter told' : '') },
    how: { procedure: 'custodia', version },
    digests:
      segment.sha256 === null
        ? []
        : [
            {
              scope: 'segment',
              name: segment.name,
              algorithm: 'sha256',
              value: segment.sha256,
              point: 'H1',
              ...(compared ? { result: 'equal' } : {}),
            },
          ],
    alteration: null,
    storage: [path],
    files: [file],
  };
  await appendEvent(client, segment.exhibit_id, `segment:${segment.id}`, (head) =>
    sealNext(head, { ...event, recordedAt: utcTime(new Date()) }, signer.privateKey),
  );
}
