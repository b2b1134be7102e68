/** What was found in an examination: searched in pages, and one record with its problems. */
import { type FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import {
  countEntries,
  type EntryFilter,
  type EntrySort,
  isPlace,
  recordsAt,
  type ShownRecord,
  searchEntries,
} from '../../store/entry-search.ts';
import { readGlob } from '../../store/glob.ts';
import { problemsSeen } from '../../store/problem-search.ts';
import { instantOf } from '../instant.ts';
import { PageQuery, pageOf, readCursor, usualLimit } from '../paging.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';
import { searching } from '../search.ts';

const text = (maxLength: number) => Type.Optional(Type.String({ minLength: 1, maxLength }));
const size = Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }));

const ListQuery = Type.Object(
  {
    ...PageQuery,
    name: text(1000),
    ignoreCase: Type.Optional(Type.Boolean()),
    path: text(4000),
    extension: text(100),
    type: text(50),
    minSize: size,
    maxSize: size,
    from: text(40),
    to: text(40),
    time: text(100),
    allocated: Type.Optional(Type.Boolean()),
    digest: Type.Optional(Type.String({ pattern: '^([0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$' })),
    mediaType: text(200),
    problem: Type.Optional(Type.String({ pattern: '^[^ ]{1,100}$' })),
    fact: text(200),
    value: Type.Optional(Type.String({ maxLength: 2000 })),
    words: text(500),
    sort: Type.Optional(Type.Union(['locator', 'path', 'name', 'type', 'size', 'modified'].map((name) => Type.Literal(name as EntrySort)))),
    order: Type.Optional(Type.Union([Type.Literal('asc'), Type.Literal('desc')])),
    total: Type.Optional(Type.Boolean()),
  },
  closed,
);
type Asked = Static<typeof ListQuery>;

const algorithms = { 32: 'md5', 40: 'sha1', 64: 'sha256' } as const;
/** Entries are counted up to here: a number with `more` beside it says that there are more. */
const mostCounted = 10_000;

/** Throws Refusal for text that the database cannot hold, and so no entry has. */
export function refuseUnstorable(query: object): void {
  for (const [name, value] of Object.entries(query)) {
    if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed()))
      throw new Refusal(400, 'http.request', `querystring/${name}: holds NUL or half a surrogate pair`);
  }
}

function filterOf(asked: Asked): EntryFilter {
  const { name, digest, fact, value, from, to, ...rest } = asked;
  refuseUnstorable(asked);
  const glob = name === undefined ? undefined : readGlob(name);
  if (glob === null)
    throw new Refusal(400, 'search.glob', `name: '${name}' has a class of more than 1000 characters, or a range that runs backwards`);
  if ((fact === undefined) !== (value === undefined))
    throw new Refusal(400, 'http.request', 'querystring: fact and value are given together');
  return {
    ...rest,
    ...(glob === undefined ? {} : { name: glob }),
    ...(digest === undefined ? {} : { digest: { algorithm: algorithms[digest.length as 32], value: digest } }),
    ...(fact === undefined || value === undefined ? {} : { fact: { name: fact, value } }),
    ...(from === undefined ? {} : { from: instantOf('from', from) }),
    ...(to === undefined ? {} : { to: instantOf('to', to) }),
  };
}

const listed = (record: string) => {
  const { locator, path, name, type, size: bytes, allocated, times, mediaType, digests, problems } = JSON.parse(record) as ShownRecord;
  return { locator, path, name, type, size: bytes, allocated, times, mediaType, digests, problems };
};

/** The locator in the path of a request, which is looked up as it is. Throws Refusal where the database cannot hold it. */
export function locatorOf(request: FastifyRequest): string {
  const { locator } = request.params as { locator: string };
  if (locator.includes('\0') || !locator.isWellFormed()) throw notFound();
  return locator;
}

const policy = { action: 'entries.read', about: 'examination' } as const;
const Examination = Type.Object({ examinationId: Id });
const Entry = Type.Object({ examinationId: Id, locator: Type.String({ maxLength: 4096 }) });

export const entryRoutes: Routes = (api, service) => {
  api.get(
    '/examinations/:examinationId/entries',
    { config: { policy }, schema: { params: Examination, querystring: ListQuery, summary: 'Search the entries' } },
    async (request) => {
      const { examinationId } = request.params;
      const { cursor, limit = usualLimit, total, ...asked } = request.query;
      const filter = filterOf(asked);
      const { sort = 'locator', order = 'asc' } = asked;
      const question = [examinationId, asked];
      const key = readCursor(question, cursor, 2);
      const after = key === null ? null : { value: String(key[0]), locator: String(key[1]) };
      if (after !== null && !isPlace(sort, after)) throw new Refusal(400, 'http.cursor', 'the cursor is none of this question');
      const found = await searching(service, request, examinationId, async (client, searched) => {
        const places = await searchEntries(client, searched, filter, { sort, descending: order === 'desc', after, limit: limit + 1 });
        if (places === null) throw new Refusal(400, 'search.words', 'words: there is no word in it, expected letters or digits');
        const page = pageOf(places, limit, question, ({ value, locator }) => [value, locator]);
        const records = await recordsAt(client, examinationId, page.items.map(({ locator }) => locator)); // biome-ignore format: one call
        const count = total === true ? await countEntries(client, searched, filter, mostCounted + 1) : undefined;
        return { page, records, count };
      });
      await service.looked(request, { examinationId, how: 'listed', locator: 'image:' });
      const { page, records, count } = found;
      const counted = count === undefined ? {} : { total: { count: Math.min(count, mostCounted), more: count > mostCounted } };
      return { items: records.map(listed), next: page.next, ...counted };
    },
  );
  api.get(
    '/examinations/:examinationId/entries/:locator',
    { config: { policy }, schema: { params: Entry, summary: 'One entry: its record and its problems' } },
    async (request) => {
      const { examinationId } = request.params;
      const locator = locatorOf(request);
      const shown = await service.read(request, async (client) => {
        const [record] = await recordsAt(client, examinationId, [locator]);
        if (record === undefined) throw notFound();
        return { record: JSON.parse(record) as ShownRecord, problems: await problemsSeen(client, examinationId, locator) };
      });
      await service.looked(request, { examinationId, how: 'viewed', locator });
      return shown;
    },
  );
};
