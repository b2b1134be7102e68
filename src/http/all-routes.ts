/** Every route of the API below /api/v1, listed once. */
import { type Routes } from './route.ts';
import { accountRoutes } from './routes/accounts.ts';
import { agencyRoutes } from './routes/agencies.ts';
import { auditRoutes } from './routes/audit.ts';
import { caseRoutes } from './routes/cases.ts';
import { contentRoutes } from './routes/content.ts';
import { entryRoutes } from './routes/entries.ts';
import { eventRoutes } from './routes/events.ts';
import { examinationControlRoutes } from './routes/examination-control.ts';
import { examinationRoutes } from './routes/examinations.ts';
import { exhibitRoutes } from './routes/exhibits.ts';
import { ledgerRoutes } from './routes/ledger.ts';
import { problemRoutes } from './routes/problems.ts';
import { queueRoutes } from './routes/queues.ts';
import { reportRoutes } from './routes/reports.ts';
import { segmentRoutes } from './routes/segments.ts';
import { selfRoutes, tokenRoutes } from './routes/self.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { timelineRoutes } from './routes/timeline.ts';
import { unitRoutes } from './routes/units.ts';
import { uploadRoutes } from './routes/uploads.ts';
import { workerRoutes } from './routes/workers.ts';

export const allRoutes: readonly Routes[] = [
  sessionRoutes,
  selfRoutes,
  tokenRoutes,
  accountRoutes,
  agencyRoutes,
  caseRoutes,
  exhibitRoutes,
  uploadRoutes,
  segmentRoutes,
  examinationRoutes,
  auditRoutes,
  eventRoutes,
  contentRoutes,
  entryRoutes,
  ledgerRoutes,
  problemRoutes,
  reportRoutes,
  timelineRoutes,
  examinationControlRoutes,
  unitRoutes,
  workerRoutes,
  queueRoutes,
];
