/** Looks at evidence: each a row before the content leaves, until an event of the exhibit's ledger tells of it. */
import { randomUUID } from 'node:crypto';
import { type Pool, type PoolClient } from 'pg';
import { transaction } from './transaction.ts';

export interface NewLook {
  readonly examinationId: string;
  readonly accountId: string;
  /** `session:` or `token:` and its id. */
  readonly credential: string;
  readonly how: string;
  readonly locator: string;
}

export async function insertLooks(pool: Pool, looks: readonly NewLook[]): Promise<void> {
  const column = (name: keyof NewLook) => looks.map((look) => look[name]);
  await pool.query(
    `insert into looked (exhibit_id, examination_id, account_id, credential, how, locator)
     select exhibit_id, examination.id, account_id, credential, how, locator
     from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[])
       with ordinality as look (examination_id, account_id, credential, how, locator, place)
     join examination on examination.id = look.examination_id order by place`,
    [column('examinationId'), column('accountId'), column('credential'), column('how'), column('locator')],
  );
}

/** What one account looked at of one exhibit in one session. */
export interface LookBatch {
  readonly exhibitId: string;
  readonly accountId: string;
  readonly credential: string;
}

/** An event tells of so many; more become several. */
const looksInEvent = 200;
const dueAfter = "interval '5 minutes'";

/** Those that are old or large enough for an event; with `examinationId` or `all` whatever their age. */
async function listDueBatches(pool: Pool, due: { examinationId?: string; all?: boolean }): Promise<LookBatch[]> {
  const { rows } = await pool.query<{ exhibit_id: string; account_id: string; credential: string }>(
    `select exhibit_id, account_id, credential from looked
     where recorded is null and ($1::uuid is null or exhibit_id = (select exhibit_id from examination where id = $1))
     group by exhibit_id, account_id, credential
     having $2 or min(at) < clock_timestamp() - ${dueAfter} or count(*) >= ${looksInEvent}
     order by min(id::text) limit 1000`,
    [due.examinationId ?? null, due.all === true || due.examinationId !== undefined],
  );
  return rows.map(({ exhibit_id, account_id, credential }) => ({ exhibitId: exhibit_id, accountId: account_id, credential }));
}

export interface TakenLook {
  readonly at: Date;
  readonly how: string;
  readonly locator: string;
  readonly examinationId: string;
}

/** The oldest of a batch, marked with the key of the event that will tell of them: in the transaction that appends it. */
async function takeLooks(client: PoolClient, { exhibitId, accountId, credential }: LookBatch, eventKey: string): Promise<TakenLook[]> {
  const { rows } = await client.query<{ id: string; at: Date; how: string; locator: string; examination_id: string }>(
    `update looked set recorded = $4 where id in (
       select id from looked where exhibit_id = $1 and account_id = $2 and credential = $3 and recorded is null
       order by id limit ${looksInEvent} for update skip locked)
     returning id, at, how, locator, examination_id`,
    [exhibitId, accountId, credential, eventKey],
  );
  rows.sort((a, b) => (a.id < b.id ? -1 : 1));
  return rows.map(({ at, how, locator, examination_id }) => ({ at, how, locator, examinationId: examination_id }));
}

export interface Looker {
  readonly name: string;
  readonly login: string;
  readonly roles: readonly string[];
  /** Of the case, and the label of the exhibit. */
  readonly reference: string;
  readonly label: string;
}

/** Who looked, and what it is in the case of the exhibit. */
async function findLooker(client: PoolClient, { exhibitId, accountId }: LookBatch): Promise<Looker> {
  const { rows } = await client.query<Looker>(
    `select account.name, login, reference, label,
       array(select role from case_member where case_member.case_id = exhibit.case_id and case_member.account_id = account.id order by role) as roles
     from account, exhibit join case_file on case_file.id = case_id where account.id = $2 and exhibit.id = $1`,
    [exhibitId, accountId],
  );
  return rows[0]!;
}

type Tell = (client: PoolClient, batch: LookBatch, eventKey: string, looks: readonly TakenLook[], looker: Looker) => Promise<unknown>;

/** A transaction for each batch that is due: `tell` appends its event. Gives how many events were told; what another process tells is left to it. */
export async function recordBatches(pool: Pool, due: { examinationId?: string; all?: boolean }, tell: Tell): Promise<number> {
  let told = 0;
  for (const batch of await listDueBatches(pool, due)) {
    told += await transaction(pool, async (client) => {
      const eventKey = `looks:${randomUUID()}`;
      const looks = await takeLooks(client, batch, eventKey);
      if (looks.length === 0) return 0;
      await tell(client, batch, eventKey, looks, await findLooker(client, batch));
      return 1;
    });
  }
  return told;
}
