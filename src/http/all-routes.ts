/** Every route of the API below /api/v1, listed once. */
import { type Routes } from './route.ts';
import { accountRoutes } from './routes/accounts.ts';
import { agencyRoutes } from './routes/agencies.ts';
import { auditRoutes } from './routes/audit.ts';
import { caseRoutes } from './routes/cases.ts';
import { eventRoutes } from './routes/events.ts';
import { exhibitRoutes } from './routes/exhibits.ts';
import { selfRoutes, tokenRoutes } from './routes/self.ts';
import { sessionRoutes } from './routes/sessions.ts';

export const allRoutes: readonly Routes[] = [
  sessionRoutes,
  selfRoutes,
  tokenRoutes,
  accountRoutes,
  agencyRoutes,
  caseRoutes,
  exhibitRoutes,
  auditRoutes,
  eventRoutes,
];
