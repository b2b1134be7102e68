/** /ops/board: the queue in a browser, for ops (its policy stands in server.ts, as its routes are a plugin's). */
import { boardPlugin } from '../../queue/board.ts';
import { type Routes } from '../route.ts';

const path = '/ops/board';

/** Its page has styles of its own in it; the font that it asks another host for is not fetched. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const boardRoutes: Routes = (api, { installation }) => {
  api.register(
    async (scope) => {
      scope.addHook('onSend', async (_request, reply, payload) => {
        reply.header('content-security-policy', contentSecurityPolicy);
        return payload;
      });
      await scope.register(boardPlugin(await installation.queue(), path));
    },
    { prefix: path },
  );
};
