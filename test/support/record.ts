/** Looks at the raw tables of an examination with eyes of its own: what is lost, doubled, or out of place. */
import { createHash, type KeyObject, verify } from 'node:crypto';
import { type Pool } from 'pg';

export interface RecordFigures {
  readonly units: number;
  readonly files: number;
  readonly entries: number;
  readonly events: number;
  /** Claims that were taken from a worker which had died with them. */
  readonly losses: number;
}

/** Everything that is wrong with the record of a concluded examination, in words; `wrong` is empty when nothing is. */
export async function checkRecord(pool: Pool, examinationId: string, key: KeyObject): Promise<{ wrong: string[]; figures: RecordFigures }> {
  const wrong: string[] = [];
  const expectEqual = (what: string, found: unknown, expected: unknown) => {
    if (found !== expected) wrong.push(`${what}: ${String(found)}, expected ${String(expected)}`);
  };
  const one = async <T>(text: string): Promise<T> => (await pool.query(text, [examinationId])).rows[0] as T;
  const units = await one<{
    all: number;
    open: number;
    ended: number;
    concluding: number;
    losses: number;
    examined: number;
    unlost: number;
  }>(
    `select count(*)::int as all, count(*) filter (where status = 'open')::int as open,
       count(*) filter (where finished_at is not null and (payload is null or status = 'quarantined'))::int as ended,
       count(*) filter (where kind = 'conclude')::int as concluding, sum(losses)::int as losses,
       coalesce(sum(files) filter (where kind = 'examine-files' and status <> 'split'), 0)::int as examined,
       coalesce(sum((result->>'files')::int) filter (where kind = 'list-files'), 0)::int as unlost
     from unit where examination_id = $1`,
  );
  expectEqual('open units', units.open, 0);
  expectEqual('units that have ended', units.ended, units.all);
  expectEqual('units that conclude', units.concluding, 1);
  expectEqual('files in units', units.examined, units.unlost);
  const head = await one<{ open_units: number; exhibit_id: string; entries: number }>(
    `select open_units, exhibit_id, (conclusion->'catalogue'->>'entries')::int as entries from examination where id = $1`,
  );
  expectEqual('count of open units', head.open_units, 0);
  const entries = await one<{ all: number; strange: number }>(
    `select count(*)::int as all, count(*) filter (where unit.status is distinct from 'done')::int as strange
     from entry left join unit on unit.id = unit_id and unit.examination_id = entry.examination_id where entry.examination_id = $1`,
  );
  expectEqual('entries', entries.all, head.entries);
  expectEqual('entries of units that did not end well', entries.strange, 0);
  const problems = await one<{ all: number; strange: number }>(
    `select count(*)::int as all, count(*) filter (where unit.finished_at is null)::int as strange
     from problem left join unit on unit.id = unit_id where problem.examination_id = $1`,
  );
  expectEqual('problems of units that did not end', problems.strange, 0);
  const events = await checkLedger(pool, head.exhibit_id, key, wrong);
  const told = await one<{ told: number; problems: number }>(
    `select count(*)::int as told,
       coalesce(sum((convert_from(decode(envelope::jsonb->>'payload', 'base64'), 'UTF8')::jsonb #>> '{predicate,step,counts,problems}')::int), 0)::int as problems
     from unit join ledger on event_key = 'unit:' || unit.id || case when retries = 0 then '' else '.' || retries end where examination_id = $1`,
  );
  expectEqual('units that the ledger tells of', told.told, units.all);
  expectEqual('problems that the ledger tells of', told.problems, problems.all);
  return { wrong, figures: { units: units.all, files: units.examined, entries: entries.all, events, losses: units.losses } };
}

/** Dense from 0, each line names the digest of the one before, each signature fits: by hand, not by the code under test. */
async function checkLedger(pool: Pool, exhibitId: string, key: KeyObject, wrong: string[]): Promise<number> {
  const { rows } = await pool.query<{ seq: string; envelope: string; digest: string; event_key: string }>(
    'select seq, envelope, digest, event_key from ledger where exhibit_id = $1 order by seq',
    [exhibitId],
  );
  let before: string | null = null;
  for (const [index, { seq, envelope, digest, event_key }] of rows.entries()) {
    const { payload, payloadType, signatures } = JSON.parse(envelope);
    const signed = Buffer.from(payload, 'base64');
    const event = JSON.parse(signed.toString('utf8')).predicate;
    if (Number(seq) !== index || event.seq !== index) wrong.push(`ledger: event ${index} has seq ${seq} in the table, ${event.seq} inside`);
    if ((event.prev?.sha256 ?? null) !== before) wrong.push(`ledger: event ${index} does not name the one before`);
    before = createHash('sha256').update(envelope).digest('hex');
    if (digest !== before) wrong.push(`ledger: event ${index} has another digest in the table`);
    const header = Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${signed.length} `);
    if (!verify(null, Buffer.concat([header, signed]), key, Buffer.from(signatures[0].sig, 'base64'))) {
      wrong.push(`ledger: the signature of event ${index} does not fit`);
    }
    if (event.step !== undefined && event_key.replace(/\.\d+$/, '') !== `unit:${event.step.unit}`)
      wrong.push(`ledger: event ${index} is under the wrong key`);
  }
  const { rows: heads } = await pool.query<{ seq: string; digest: string }>('select seq, digest from ledger_head where exhibit_id = $1', [
    exhibitId,
  ]);
  if (Number(heads[0]?.seq) !== rows.length - 1 || heads[0]?.digest !== before) wrong.push('ledger: its head is not its last event');
  return rows.length;
}
