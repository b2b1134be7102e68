/** Reads for a search: one examination is opened, and a question that takes too long is told so. */
import { type FastifyRequest } from 'fastify';
import { type PoolClient } from 'pg';
import { openSearch, type Searched } from '../store/entry-search.ts';
import { Refusal } from './problem.ts';
import { type Service } from './route.ts';

/** PostgreSQL manual, appendix A. */
const queryCanceled = '57014';

/** Throws Refusal (`search.too-slow`) where the database gave up. */
export async function searching<T>(
  service: Service,
  request: FastifyRequest,
  examinationId: string,
  read: (client: PoolClient, searched: Searched) => Promise<T>,
): Promise<T> {
  const { searchMs } = service.installation.config;
  try {
    return await service.read(request, async (client) => read(client, await openSearch(client, examinationId, searchMs)));
  } catch (error) {
    if ((error as { code?: unknown }).code !== queryCanceled) throw error;
    throw new Refusal(503, 'search.too-slow', `the database took longer than ${searchMs} ms: narrow the search, or sort by locator`);
  }
}
