/** 500 small exhibits of two agencies submitted at once to two workers: none is lost, and neither agency waits for the other. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultLimits } from '../../src/config.ts';
import { submit } from '../../src/pipeline/submit.ts';
import { openPlace, percentile } from './place.ts';

const exhibits = 500;
const lanes = 8;

const place = await openPlace();
const image = join(place.installation.config.dataFolder, 'small.raw');
await writeFile(image, randomBytes(1024 ** 2)); // no file system: what is measured is everything around the reading
const { database, recorder, threads } = place.installation;
const parties = [await place.agency('first'), await place.agency('second')];
const queue = await place.installation.queue();
const found = await threads.run({ kind: 'find-segments', path: image }, { onBatch: () => undefined, signal: new AbortController().signal });
await Promise.all([place.startWorker(1), place.startWorker(1)]);

const begun = performance.now();
const took: number[] = [];
// all of the first agency, then all of the second: in order of arrival the second would wait for the first
for (const { agencyId, accountId, caseReference } of parties) {
  const labels = Array.from({ length: exhibits / 2 }, (_, position) => `E-${position}`);
  const lane = async () => {
    for (let label = labels.pop(); label !== undefined; label = labels.pop()) {
      const asked = performance.now();
      const profile = { digests: ['sha256'], limits: defaultLimits };
      const request = { agencyId, accountId };
      await submit(database, queue, recorder, { caseReference, exhibit: label, examiner: 'bench', image: found, profile, request });
      took.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane)); // more at once than there are connections would wait for those
}
const submitted = (performance.now() - begun) / 1000;
const open = async () =>
  (await database.query(`select count(*)::int as open from examination where status in ('open', 'concluding')`)).rows[0].open;
while ((await open()) > 0) await sleep(250);
const all = (performance.now() - begun) / 1000;

const { rows } = await database.query<{ agency_id: string; status: string; late: boolean }>(
  `select agency_id, status, concluded_at > (select max(created_at) from examination) as late from examination order by concluded_at`,
);
const complete = rows.filter(({ status }) => status === 'complete').length;
// while both wait: the share of each in what is concluded, in every stretch of 50
const both = rows.filter(({ late }) => late);
const first = both.findLastIndex(({ agency_id }) => agency_id === parties[0]!.agencyId);
const second = both.findLastIndex(({ agency_id }) => agency_id === parties[1]!.agencyId);
const contested = both.slice(0, Math.min(first, second));
const shares: number[] = [];
for (let at = 0; at + 50 <= contested.length; at += 50)
  shares.push(contested.slice(at, at + 50).filter(({ agency_id }) => agency_id === parties[1]!.agencyId).length / 50);
const { rows: ledgers } = await database.query('select count(*)::int as heads from ledger_head');
console.log(
  `submit: ${rows.length} exhibits in ${submitted.toFixed(1)} s (p99 ${percentile(took, 99).toFixed(0)} ms, ${lanes} at once), ` +
    `${complete} complete, ${exhibits - complete} lost or failed, ${ledgers[0].heads} ledgers; all done after ${all.toFixed(1)} s`,
);
console.log(
  `  while both agencies waited (${contested.length} conclusions) the second had ${shares.map((share) => `${Math.round(share * 100)} %`).join(', ')} of each 50`,
);
await place.close();
