/** Process entry: writes one report, with connections and a signer of its own, and ends. */
import { once } from 'node:events';
import { openInstallation } from '../installation.ts';
import { writeExaminationReport } from '../reports/assemble.ts';
import { type ReportOrder, type ReportOutcome } from './report-writing.ts';

async function write({ config, examinationId, folder }: ReportOrder): Promise<void> {
  const installation = await openInstallation({ ...config, threads: 1, concurrency: 1 });
  try {
    await writeExaminationReport(installation, examinationId, folder);
  } finally {
    await installation.close();
  }
}

const [order] = (await once(process, 'message')) as [ReportOrder];
const outcome: ReportOutcome = await write(order).then(
  () => ({ failure: null }),
  ({ message, code }: Error & { code?: string }) => ({ failure: { message, ...(code === undefined ? {} : { code }) } }),
);
process.send!(outcome, () => process.disconnect());
