/** An examination in the tables, for tests that need no image: its exhibit, its units. */
import { type Pool } from 'pg';
import { defaultLimits } from '../../src/config.ts';
import { type Examination, type Exhibit, insertExamination, lockExhibit } from '../../src/store/examinations.ts';
import { transaction } from '../../src/store/transaction.ts';
import { insertUnits, type NewUnit, type Unit } from '../../src/store/units.ts';

export interface TestExamination {
  readonly examination: Examination;
  readonly exhibit: Exhibit;
  readonly unitIds: readonly string[];
}

let count = 0;

export async function insertTestExamination(pool: Pool, units: readonly NewUnit[], label = `exhibit ${++count}`): Promise<TestExamination> {
  return transaction(pool, async (client) => {
    const exhibit = await lockExhibit(client, { caseReference: 'case 7', label, examiner: 'Exam Iner' });
    const examination = await insertExamination(client, {
      exhibitId: exhibit.id,
      examiner: exhibit.examiner,
      image: { format: 'raw', paths: [`/evidence/${label}.raw`] },
      received: [],
      profile: { digests: ['sha256'], limits: defaultLimits },
      openUnits: units.length,
    });
    return { examination, exhibit, unitIds: await insertUnits(client, examination.id, null, units) };
  });
}

export const someUnits = (number: number): NewUnit[] =>
  Array.from({ length: number }, () => ({ kind: 'examine-files', priority: 4, files: 1, payload: Buffer.from('payload') }) as const);

export const readUnit = async (pool: Pool, id: string): Promise<Unit> =>
  (await pool.query('select * from unit where id = $1', [id])).rows[0];
