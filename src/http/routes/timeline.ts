/** All times of all entries, each a row of its own, in order of their digits: a time of an unknown zone says so and is never moved. */
import { Type } from 'typebox';
import { readTimeline, type TimelinePlace } from '../../store/timeline.ts';
import { instantOf } from '../instant.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';
import { searching } from '../search.ts';
import { refuseUnstorable } from './entries.ts';

const text = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }));
const Query = Type.Object(
  {
    ...PageQuery,
    from: text(40),
    to: text(40),
    /** Separated by commas. */
    kinds: text(1000),
    path: text(4000),
    allocated: Type.Optional(Type.Boolean()),
  },
  closed,
);

/** Throws Refusal (`http.cursor`). */
function placeOf(key: readonly unknown[] | null): TimelinePlace | null {
  if (key === null) return null;
  const [at, locator, nth] = key;
  const isPlace =
    typeof at === 'string' &&
    /^-?\d{1,20}(\.\d{1,9})?$/.test(at) &&
    typeof locator === 'string' &&
    locator.isWellFormed() &&
    !locator.includes('\0') &&
    Number.isInteger(nth) &&
    Math.abs(nth as number) < 32_768;
  if (!isPlace) throw new Refusal(400, 'http.cursor', 'the cursor is none of this question, expected one that its last page gave');
  return { at, locator, nth: nth as number };
}

export const timelineRoutes: Routes = (api, service) => {
  api.get(
    '/examinations/:examinationId/timeline',
    {
      config: { policy: { action: 'entries.read', about: 'examination' } },
      schema: { params: Type.Object({ examinationId: Id }), querystring: Query, summary: 'All times of all entries' },
    },
    async (request) => {
      const { examinationId } = request.params;
      const { cursor, limit = usualLimit, ...asked } = request.query;
      refuseUnstorable(asked);
      const { from, to, kinds, ...rest } = asked;
      const filter = {
        ...rest,
        ...(from === undefined ? {} : { from: instantOf('from', from) }),
        ...(to === undefined ? {} : { to: instantOf('to', to) }),
        ...(kinds === undefined ? {} : { kinds: kinds.split(',') }),
      };
      const question = [examinationId, 'timeline', asked];
      const after = placeOf(readCursor(question, cursor, 3));
      const moments = await searching(service, request, examinationId, (client, searched) =>
        readTimeline(client, searched, filter, after, limit + 1),
      );
      const page = pageOf(moments, limit, question, ({ at, locator, nth }) => [at, locator, nth]);
      await service.looked(request, { examinationId, how: 'listed', locator: 'image:' });
      return { items: page.items.map(({ at: _at, nth: _nth, ...moment }) => moment), next: page.next };
    },
  );
};
