/** Progress to many followers: from the commit of a unit to its arrival at each of 200 clients, who sit in another process. */
import { fork } from 'node:child_process';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { defaultLimits } from '../../src/config.ts';
import { allRoutes } from '../../src/http/all-routes.ts';
import { createServer, createService } from '../../src/http/server.ts';
import { insertExamination, lockExhibit } from '../../src/store/examinations.ts';
import { transaction } from '../../src/store/transaction.ts';
import { insertUnits } from '../../src/store/units.ts';
import { openPlace, percentile } from './place.ts';

const followers = 200;
const commits = 60;
const now = () => performance.timeOrigin + performance.now();

/** Tells the arrival of each number of finished units. */
function follow(url: string, token: string, number: number): void {
  for (let each = 0; each < number; each++) {
    get(url, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        const at = now();
        text += chunk;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const units = /"status":"done","units":(\d+)/.exec(text.slice(0, end))?.[1];
          if (/^event: /m.test(text.slice(0, end))) process.send!({ done: Number(units ?? 0), at });
          text = text.slice(end + 2);
        }
      });
    }).setMaxListeners(0);
  }
}

async function measure(): Promise<void> {
  const place = await openPlace();
  const { agencyId, caseReference, token } = await place.agency('bench');
  const { database, version } = place.installation;
  const { id, unitIds } = await transaction(database, async (client) => {
    const exhibit = await lockExhibit(client, { caseReference, label: 'E-1', examiner: 'bench' }, agencyId);
    const image = { format: 'raw', paths: ['/none'] } as const;
    const profile = { digests: [], limits: defaultLimits };
    const examination = await insertExamination(client, {
      exhibitId: exhibit.id,
      examiner: 'bench',
      image,
      received: [],
      profile,
      openUnits: 1,
    });
    const units = Array.from({ length: commits }, () => ({ kind: 'examine-files', priority: 4, files: 1 }) as const);
    return { id: examination.id, unitIds: await insertUnits(client, examination.id, null, units) };
  });
  const service = createService(place.installation);
  const api = await createServer({ service, version, routes: allRoutes, rootRoutes: [] });
  const url = await api.listen({ port: 0, host: '127.0.0.1' });
  const child = fork(import.meta.filename, ['--follow', `${url}/api/v1/examinations/${id}/events`, token, String(followers)]);
  const arrivals: { done: number; at: number }[] = [];
  child.on('message', (message) => arrivals.push(message as { done: number; at: number }));
  while (arrivals.length < followers) await sleep(50);
  const committed: number[] = [];
  for (const unitId of unitIds) {
    await database.query(`update unit set status = 'done' where id = $1`, [unitId]);
    committed.push(now());
    await sleep(400 + Math.random() * 100);
  }
  await sleep(1000);
  const delays = arrivals.filter(({ done }) => done > 0).map(({ done, at }) => at - committed[done - 1]!);
  const cells = [50, 99, 100].map((hundredths) => `p${hundredths} ${percentile(delays, hundredths).toFixed(0)} ms`).join(', ');
  console.log(
    `events: ${commits} commits to ${followers} followers, commit to arrival: ${cells}; ${delays.length} of ${commits * followers} arrived`,
  );
  child.kill();
  await api.close();
  await service.close?.();
  await place.close();
}

const [flag, url, token, number] = process.argv.slice(2);
if (flag === '--follow') follow(url!, token!, Number(number));
else await measure();
