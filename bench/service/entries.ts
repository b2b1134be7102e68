/** Pages of an examination of a million entries, through the real server: `node bench/service/entries.ts [--entries 1000000]`. */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import autocannon from 'autocannon';
import { Command } from 'commander';
import { readConfig } from '../../src/config.ts';
import { allRoutes } from '../../src/http/all-routes.ts';
import { createServer, createService } from '../../src/http/server.ts';
import { openInstallation } from '../../src/installation.ts';
import { indexForSearch } from '../../src/store/search-index.ts';
import { copyEntries } from './million.ts';

const { entries: count, seconds } = new Command('node bench/service/entries.ts')
  .description('Makes the entries once below bench/.work/service, then asks for pages, one at a time.')
  .option('--entries <number>', 'entries of the examination', Number, 1_000_000)
  .option('--seconds <number>', 'for each page', Number, 3)
  .parse()
  .opts<{ entries: number; seconds: number }>();

const pages: readonly (readonly [what: string, path: string])[] = [
  ['first page', 'entries?'],
  ['by size, largest first', 'entries?sort=size&order=desc'],
  ['newest', 'entries?sort=modified&order=desc'],
  ['*.pdf by path', 'entries?name=*.pdf&sort=path'],
  ['extension and allocation, by size', 'entries?extension=docx&allocated=false&sort=size&order=desc'],
  ['rare name in any case', 'entries?name=*777777*&ignoreCase=true&sort=path'],
  ['name with a class', 'entries?name=report*[0-9]5.txt&sort=modified&order=desc'],
  ['folder by name', 'entries?path=home/user3/report/&sort=name'],
  ['word', 'entries?words=holiday&sort=modified&order=desc'],
  ['two words', 'entries?words=holiday%20contract&sort=size'],
  ['pictures of a camera', 'entries?fact=exif.Make&value=Canon&mediaType=image/*&sort=modified'],
  ['with a problem', 'entries?problem=zip.entry&sort=path'],
  ['sizes and a day, newest', 'entries?minSize=1000000&from=2015-03-01&to=2015-03-02&time=modified&sort=modified&order=desc'],
  ['any time on a day, by path', 'entries?from=2015-03-01&to=2015-03-02&sort=path'],
  ['a digest that is not there', `entries?digest=${'0'.repeat(64)}`],
  ['nothing fits', 'entries?name=*nowhere-to-be-found*&sort=size'],
  ['timeline', 'timeline?'],
  ['timeline of a day', 'timeline?from=2015-03-01&to=2015-03-02'],
  ['timeline of a kind and a folder', 'timeline?from=2015-01-01&kinds=created&path=home/user3/'],
  ['timeline of what was deleted', 'timeline?from=2015-01-01&allocated=false'],
];

const given = { CUSTODIA_DATA: join(import.meta.dirname, '..', '.work', 'service', String(count)), CUSTODIA_LOG: 'error' };
const installation = await openInstallation(readConfig({ threads: 1, isService: true }, given, 1));
const { database } = installation;

async function examinationOf(): Promise<string> {
  const known = await database.query<{ id: string }>('select examination_id as id from search');
  if (known.rows[0] !== undefined) return known.rows[0].id;
  await database.query(`insert into case_file (reference) values ('bench') on conflict do nothing`);
  const { rows } = await database.query<{ id: string }>(
    `with exhibit as (insert into exhibit (case_id, label, examiner) select id, gen_random_uuid()::text, 'bench' from case_file limit 1 returning id)
     insert into examination (exhibit_id, examiner, image, received, profile) select id, 'bench', '{}', '[]', '{}' from exhibit returning id`,
  );
  const { id } = rows[0]!;
  console.log(`COPY of ${count} entries: ${Math.round(await copyEntries(database, `${id}\t${id}\t`, count))} ms, with their making`);
  const begun = performance.now();
  await indexForSearch(database, id);
  console.log(`made searchable in ${Math.round(performance.now() - begun)} ms`);
  return id;
}

async function tokenFor(examinationId: string): Promise<string> {
  const text = `cst_${randomBytes(32).toString('base64url')}`;
  await database.query(
    `with account as (insert into account (agency_id, login, name) select agency_id, gen_random_uuid()::text, 'bench' from case_file limit 1 returning id),
       member as (insert into case_member (case_id, account_id, role)
         select case_id, account.id, 'investigator' from account, exhibit join examination on exhibit_id = exhibit.id where examination.id = $1)
     insert into api_token (account_id, name, secret_sha256, scopes, expires_at)
       select id, 'bench', $2, array['read', 'content'], now() + interval '1 day' from account`,
    [examinationId, createHash('sha256').update(text).digest()],
  );
  return text;
}

const examinationId = await examinationOf();
const token = await tokenFor(examinationId);
const service = createService(installation);
const rates = { address: 1e9, account: 1e9 };
const api = await createServer({ service, version: 'bench', routes: allRoutes, rootRoutes: [], rates });
const url = await api.listen({ port: 0, host: '127.0.0.1' });
console.log(`${'page of 100'.padEnd(36)} ${['requests', 'p50 ms', 'p97.5', 'p99', 'not 200'].map((head) => head.padStart(9)).join('')}`);
for (const [what, path] of pages) {
  const asked = `${url}/api/v1/examinations/${examinationId}/${path}&limit=100`;
  const run = { url: asked, connections: 1, headers: { authorization: `Bearer ${token}` } };
  await autocannon({ ...run, amount: 10 });
  const { latency, requests, non2xx, errors } = await autocannon({ ...run, duration: seconds });
  const cells = [requests.total, latency.p50, latency.p97_5, latency.p99, non2xx + errors];
  console.log(`${what.padEnd(36)} ${cells.map((cell) => String(cell).padStart(9)).join('')}`);
}
await api.close();
await service.close();
await installation.close();
