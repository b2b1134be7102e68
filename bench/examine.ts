/**
 * What `fiwalk -x` is compared with: an examination without the digests of the medium. Survey, listing, three digests, type and metadata of
 * every file, rows in PostgreSQL, through the queue as always. Prints when the rows were committed and when the examination was concluded.
 */
import { availableParallelism } from 'node:os';
import { defaultLimits, readConfig } from '../src/config.ts';
import { type ImageReference, type Profile } from '../src/evidence/task.ts';
import { type Installation, openInstallation } from '../src/installation.ts';
import { statEvidence } from '../src/pipeline/evidence-files.ts';
import { priorities } from '../src/pipeline/step.ts';
import { insertExamination, lockExhibit, readExamination } from '../src/store/examinations.ts';
import { transaction } from '../src/store/transaction.ts';
import { insertUnits } from '../src/store/units.ts';

const [path, data, exhibit] = process.argv.slice(2) as [string, string, string];
const profile: Profile = { digests: ['md5', 'sha1', 'sha256'], limits: defaultLimits };

/** SHA-256 over the MD5 of all files, in order: two tools that found the same files agree on it. */
const fingerprintOf = `select count(*)::int as files, encode(sha256(convert_to(string_agg(md5, e'\\n' order by md5 collate "C"), 'UTF8')), 'hex') as fingerprint
  from (select record::json -> 'digests' ->> 'md5' as md5 from entry where examination_id = $1 and type = 'file') as found`;

async function surveyOnly({ database, queue, recorder }: Installation, image: ImageReference): Promise<string> {
  const received = await statEvidence(image.paths);
  const opened = await queue();
  return transaction(database, async (client) => {
    const taken = await lockExhibit(client, { caseReference: 'bench', label: exhibit, examiner: 'bench' });
    const examination = await insertExamination(client, {
      exhibitId: taken.id,
      examiner: taken.examiner,
      image,
      received,
      profile,
      openUnits: 1,
    });
    const priority = priorities.survey;
    const ids = await insertUnits(client, examination.id, null, [{ kind: 'survey', priority }]);
    await opened.announce(
      client,
      ids.map((id) => ({ id, priority })),
    );
    await recorder.recordReceived(client, { exhibit: taken, examination, received });
    return examination.id;
  });
}

const installation = await openInstallation(readConfig({ data }, process.env, availableParallelism()));
try {
  const { threads, database, startWorker } = installation;
  const image = await threads.run({ kind: 'find-segments', path }, { onBatch: () => undefined, signal: new AbortController().signal });
  const id = await surveyOnly(installation, image);
  const worker = await startWorker(() => undefined);
  let committed: number | null = null;
  for (let open = true; open; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const status = (await readExamination(database, id))?.examination.status;
    if (status !== 'open') committed ??= performance.now();
    open = status === 'open' || status === 'concluding';
  }
  const concluded = performance.now(); // since the start of this process
  await worker.stop({ abort: true });
  const { rows } = await database.query(fingerprintOf, [id]);
  process.stdout.write(`${JSON.stringify({ committed: committed! / 1000, concluded: concluded / 1000, ...rows[0] })}\n`);
} finally {
  await installation.close();
}
