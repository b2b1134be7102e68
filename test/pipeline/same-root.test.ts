/**
 * The catalogue is the same, byte for byte, whoever worked on it: threads, processes, queue. Witness of what is in it: `fls -r -p` (sleuthkit 4.11.1)
 * counts 313 lines in the FAT and 323 in the ext volume of the image. RFC 6962 gives the root, computed here from the records by recursion.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { catalogueFolder } from '../../src/store/conclusion.ts';
import { testDatabase } from '../support/database.ts';
import { fixturePath } from '../support/fixture.ts';
import { openLaboratory } from '../support/laboratory.ts';
import { isLong } from '../support/long.ts';
import { checkRecord } from '../support/record.ts';
import { startRedis } from '../support/redis.ts';
import { hasTool } from '../support/tools.ts';

const image = fixturePath('disk-mbr-e01');
const roots = new Map<string, string>();

interface Arrangement {
  readonly processes: number;
  readonly threads: number;
  readonly queue: 'PostgreSQL' | 'Redis';
  /** Every file a unit of its own. */
  readonly singly?: boolean;
}

/** RFC 6962 section 2.1, as it is written there: split at the largest power of two below the count. */
function rootOf(leaves: readonly Buffer[]): Buffer {
  const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
  if (leaves.length === 1) return hash(Uint8Array.of(0), leaves[0]!);
  const middle = 2 ** Math.floor(Math.log2(leaves.length - 1));
  return hash(Uint8Array.of(1), rootOf(leaves.slice(0, middle)), rootOf(leaves.slice(middle)));
}

async function examine({ processes, threads, queue, singly = false }: Arrangement): Promise<string> {
  const database = await testDatabase();
  const redis = queue === 'Redis' ? await startRedis() : null;
  const environment = singly ? { CUSTODIA_FAILURES: '1' } : {};
  const laboratory = await openLaboratory({ databaseUrl: database.url, queueUrl: redis?.url ?? null, environment });
  try {
    const workers = Array.from({ length: processes }, () => laboratory.startWorker({ threads, concurrency: threads + 1 }));
    await Promise.all(workers.map(({ working }) => working));
    const { examinationId } = await laboratory.submit(image, 'A-1');
    const { status, conclusion } = await laboratory.concluded(examinationId);
    expect(status).toBe('complete');
    const { wrong } = await checkRecord(database.pool, examinationId, laboratory.installation.signer.privateKey);
    expect(wrong).toEqual([]);
    const { rows } = await database.pool.query('select count(*)::int as units from unit group by worker_id order by 1 desc');
    const spread = rows.map(({ units }) => units as number);
    if (singly) {
      console.log(`${processes} worker processes, units of each: ${spread.join(', ')}`);
      expect(spread, 'workers that took part').toHaveLength(processes);
      const fair = spread.reduce((sum, units) => sum + units, 0) / processes;
      expect(Math.min(...spread), `the least, of ${fair} that would be fair`).toBeGreaterThan(fair / 2);
    }
    const sealed = readFileSync(join(catalogueFolder(laboratory.dataFolder, examinationId), 'entries.jsonl'));
    expect(createHash('sha256').update(sealed).digest('hex')).toBe(conclusion.catalogue.sha256);
    const lines = sealed.toString('utf8').trimEnd().split('\n');
    expect(rootOf(lines.map((line) => Buffer.from(line))).toString('hex')).toBe(conclusion.catalogue.root);
    return conclusion.catalogue.root;
  } finally {
    await laboratory.close();
    await redis?.close();
    await database.close();
  }
}

const arrangements: Arrangement[] = [
  { processes: 1, threads: 1, queue: 'PostgreSQL' },
  { processes: 1, threads: 2, queue: 'PostgreSQL' },
  ...(isLong ? ([1, 2] as const).map((processes): Arrangement => ({ processes, threads: 1, queue: 'PostgreSQL', singly: true })) : []),
  { processes: 4, threads: 1, queue: 'PostgreSQL', singly: true },
  { processes: 3, threads: 2, queue: 'Redis' },
];

for (const arrangement of arrangements) {
  const { processes, threads, queue, singly } = arrangement;
  const name = `${processes} processes of ${threads} threads, queue on ${queue}${singly ? ', file by file' : ''}`;
  it.skipIf(queue === 'Redis' && !hasTool('redis-server'))(name, async () => {
    roots.set(name, await examine(arrangement));
    expect(new Set(roots.values()).size, JSON.stringify([...roots])).toBe(1);
  });
}

afterAll(() => expect(roots.size).toBeGreaterThanOrEqual(3));
