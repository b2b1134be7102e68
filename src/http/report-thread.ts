/** Thread entry: writes a report, with connections and a signer of its own. */
import { workerData } from 'node:worker_threads';
import { openInstallation } from '../installation.ts';
import { writeExaminationReport } from '../reports/assemble.ts';
import { type ReportOrder } from './report-writing.ts';

const { config, examinationId, folder } = workerData as ReportOrder;
const installation = await openInstallation({ ...config, threads: 1, concurrency: 1 });
try {
  await writeExaminationReport(installation, examinationId, folder);
} finally {
  await installation.close();
}
