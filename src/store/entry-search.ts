/** Searches the entries of an examination: filters become conditions over parameters, pages follow the order of one column and the locator. */
import { type PoolClient } from 'pg';
import { type Locator } from '../evidence/locator.ts';
import { type Glob, isPlain, placedClasses } from './glob.ts';

export interface EntryFilter {
  readonly name?: Glob;
  readonly ignoreCase?: boolean;
  /** What the path starts with. */
  readonly path?: string;
  readonly extension?: string;
  readonly type?: string;
  readonly minSize?: number;
  readonly maxSize?: number;
  /** Seconds since 1970 as decimal digits, compared by the digits of the clock that wrote the time; `to` is excluded. */
  readonly from?: string;
  readonly to?: string;
  /** Which time; any of them when it is absent. */
  readonly time?: string;
  readonly allocated?: boolean;
  readonly digest?: { readonly algorithm: 'md5' | 'sha1' | 'sha256'; readonly value: string };
  /** `image/*` for all that start so. */
  readonly mediaType?: string;
  readonly problem?: string;
  readonly fact?: { readonly name: string; readonly value: string };
  /** All of them stand in the name. */
  readonly words?: string;
}

/** `expression` names an index of migrations/0006-search.ts. */
const orders = {
  locator: null,
  path: { expression: 'left(path, 600)', type: 'text', form: /^[^\0]*$/ },
  name: { expression: 'left(folded, 600)', type: 'text', form: /^[^\0]*$/ },
  type: { expression: 'type', type: 'text', form: /^[^\0]*$/ },
  size: { expression: 'size', type: 'bigint', form: /^\d{1,18}$/ },
  modified: { expression: 'modified', type: 'numeric', form: /^(-Infinity|-?\d{1,20}(\.\d{1,9})?)$/ },
} as const;
export type EntrySort = keyof typeof orders;
export const entrySorts = Object.keys(orders) as EntrySort[];

export interface EntryPlace {
  readonly locator: Locator;
  /** What the page is sorted by, as text. */
  readonly value: string;
}

/** False for what no page can have ended with. */
export const isPlace = (sort: EntrySort, { value, locator }: EntryPlace): boolean =>
  (orders[sort]?.form.test(value) ?? value === '') && !locator.includes('\0') && value.isWellFormed() && locator.isWellFormed();

/** The rows of an examination: made when it had concluded, or seen through the entries themselves. */
export interface Searched {
  readonly examinationId: string;
  readonly key: number | null;
}

/** For the rest of the transaction, each statement of which may take so long. */
export async function openSearch(client: PoolClient, examinationId: string, limitMs: number): Promise<Searched> {
  await client.query(`select set_config('custodia.examination', $1, true), set_config('statement_timeout', $2, true)`, [
    examinationId,
    `${limitMs}ms`,
  ]);
  const { rows } = await client.query<{ key: number }>('select key from seen_search where examination_id = $1', [examinationId]);
  return { examinationId, key: rows[0]?.key ?? null };
}

/** Texts with `$1`, `$2`, ... and the values that stand for them. */
export class Statement {
  readonly values: unknown[] = [];
  readonly conditions: string[] = [];

  /** The name of the parameter that stands for `value`. */
  put(value: unknown, type: string): string {
    this.values.push(value);
    return `$${this.values.length}::${type}`;
  }

  where(condition: string): void {
    this.conditions.push(condition);
  }
}

const sources = (isMade: boolean) => (isMade ? { rows: 'seen_found', tie: 'ordinal' } : { rows: 'seen_fact', tie: 'locator' });

/** So few moments are looked up and joined; more are asked entry by entry, as the page is found soon. */
const fewMoments = 5000;

export interface EntryPage {
  readonly sort: EntrySort;
  readonly descending: boolean;
  readonly after: EntryPlace | null;
  readonly limit: number;
}

/**
 * With a cache that holds all rows the planner takes reading along an order for almost free, whatever is passed over on the way. Told of a small one,
 * it gathers what fits and sorts it where that is little: right where its figures are, which they are not for patterns and for facts.
 */
const isFewKnown = ({ name, fact }: EntryFilter): boolean => name === undefined && fact === undefined;

/** One page; null for words in which there is no word. */
export async function searchEntries(
  client: PoolClient,
  searched: Searched,
  filter: EntryFilter,
  { sort, descending, after, limit }: EntryPage,
): Promise<EntryPlace[] | null> {
  const { rows, tie } = sources(searched.key !== null);
  const statement = await conditionsOf(client, searched, filter);
  if (statement === null) return null;
  const order = orders[sort];
  const direction = descending ? 'desc' : 'asc';
  if (after !== null) {
    const place = `(select ${tie} from ${rows} where ${whose(statement, searched)} and locator = ${statement.put(after.locator, 'text')})`;
    const beyond = descending ? '<' : '>';
    statement.where(
      order === null
        ? `${tie} ${beyond} ${place}`
        : `(${order.expression}, ${tie}) ${beyond} (${statement.put(after.value, order.type)}, ${place})`,
    );
  }
  const by = order === null ? '' : `${order.expression} ${direction}, `;
  const value = order === null ? `''` : `${order.expression}::text`;
  if (isFewKnown(filter)) await client.query(`set local effective_cache_size = '8MB'`);
  const found = await client.query<EntryPlace>(
    `select locator, ${value} as value from ${rows} where ${statement.conditions.join(' and ')}
     order by ${by}${tie} ${direction} limit ${statement.put(limit, 'int')}`,
    statement.values,
  );
  return found.rows;
}

/** How many entries there are, counted up to `most`. */
export async function countEntries(client: PoolClient, searched: Searched, filter: EntryFilter, most: number): Promise<number> {
  const statement = await conditionsOf(client, searched, filter);
  if (statement === null) return 0;
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from (select from ${sources(searched.key !== null).rows}
       where ${statement.conditions.join(' and ')} limit ${statement.put(most, 'int')}) counted`,
    statement.values,
  );
  return rows[0]!.count;
}

const whose = (statement: Statement, { key, examinationId }: Searched): string =>
  key === null ? `examination_id = ${statement.put(examinationId, 'uuid')}` : `key = ${statement.put(key, 'int')}`;

async function conditionsOf(client: PoolClient, searched: Searched, filter: EntryFilter): Promise<Statement | null> {
  const statement = new Statement();
  const { put } = { put: statement.put.bind(statement) };
  const { name, path, extension, type, minSize, maxSize, allocated, digest, mediaType, problem, fact, words } = filter;
  statement.where(whose(statement, searched));
  if (name !== undefined) whereName(statement, name, filter.ignoreCase === true);
  if (path !== undefined) {
    const start = put(path, 'text');
    statement.where(`left(path, 600) ^@ left(${start}, 600) and path ^@ ${start}`);
  }
  if (extension !== undefined) statement.where(`extension = left(custodia_fold(${put(extension, 'text')}), 100)`);
  if (type !== undefined) statement.where(`type = ${put(type, 'text')}`);
  if (minSize !== undefined) statement.where(`size >= ${put(minSize, 'bigint')}`);
  if (maxSize !== undefined) statement.where(`size <= ${put(maxSize, 'bigint')}`);
  if (allocated !== undefined) statement.where(allocated ? 'allocated' : `not allocated and codes @> array['not allocated']`);
  if (digest !== undefined) statement.where(`${digest.algorithm} = decode(${put(digest.value, 'text')}, 'hex')`);
  if (mediaType?.endsWith('/*') === true) statement.where(`media_type ^@ ${put(mediaType.slice(0, -1), 'text')}`);
  else if (mediaType !== undefined) statement.where(`media_type = ${put(mediaType, 'text')}`);
  if (problem !== undefined) statement.where(`codes @> array[${put(problem, 'text')}]`);
  if (fact !== undefined) {
    const forms = formsOf(fact.value).map((value) => `facts @> ${put(JSON.stringify({ [fact.name]: value }), 'jsonb')}`);
    statement.where(`(${forms.join(' or ')})`);
  }
  if (words !== undefined) {
    const query = await wordQuery(client, words);
    if (query === null) return null;
    statement.where(`words @@ ${put(query, 'tsquery')}`);
  }
  await whereTime(client, searched, statement, filter);
  return statement;
}

function whereName(statement: Statement, { like, tokens }: Glob, ignoreCase: boolean): void {
  const pattern = statement.put(like, 'text');
  statement.where(`folded like custodia_fold(${pattern})`); // the index is over names in one case
  if (!ignoreCase) statement.where(`name like ${pattern}`);
  if (tokens === null) return;
  const of = ignoreCase ? 'folded' : 'name';
  const placed = ignoreCase && !tokens.every(isPlain) ? null : placedClasses(tokens);
  if (placed !== null) {
    for (const { at, members, isNegated } of placed) {
      const place = at >= 0 ? `${at + 1}` : `length(${of}) + ${at + 1}`;
      const class_ = ignoreCase ? `custodia_fold(${statement.put(members, 'text')})` : statement.put(members, 'text');
      statement.where(`strpos(${class_}, substr(${of}, ${place}, 1)) ${isNegated ? '=' : '>'} 0`);
    }
    return;
  }
  const given = statement.put(tokens, 'text[]');
  statement.where(
    ignoreCase
      ? `custodia_glob(folded, (select array_agg(custodia_fold(token) order by place) from unnest(${given}) with ordinality as given (token, place)))`
      : `custodia_glob(name, ${given})`,
  );
}

/** A value as the evidence may have it: as text, as a number or truth, alone or in a list. */
function formsOf(value: string): unknown[] {
  const plain = /^-?\d{1,15}(\.\d{1,15})?$/.test(value) ? Number(value) : value === 'true' ? true : value === 'false' ? false : undefined;
  const forms: unknown[] = plain === undefined ? [value] : [value, plain];
  return [...forms, ...forms.map((form) => [form])];
}

async function wordQuery(client: PoolClient, words: string): Promise<string | null> {
  const { rows } = await client.query<{ query: string | null }>(
    `select string_agg(quote_literal(word), ' & ') as query from unnest(custodia_words($1)) as word`,
    [words],
  );
  return rows[0]?.query ?? null;
}

async function whereTime(client: PoolClient, { key }: Searched, statement: Statement, { from, to, time }: EntryFilter): Promise<void> {
  if (from === undefined && to === undefined) return;
  const within = (target: Statement, at: string): string =>
    [
      ...(from === undefined ? [] : [`${at} >= ${target.put(from, 'numeric')}`]),
      ...(to === undefined ? [] : [`${at} < ${target.put(to, 'numeric')}`]),
    ].join(' and ');
  const ofKind = (target: Statement) => (time === undefined ? '' : ` and kind = ${target.put(time, 'text')}`);
  if (key === null) {
    const range = within(statement, 'custodia_instant(written)');
    statement.where(`exists (select from custodia_times(record::jsonb) where ${range}${ofKind(statement)})`);
    return;
  }
  const probe = new Statement();
  const { rows } = await client.query<{ few: boolean }>(
    `select count(*) < ${fewMoments} as few from (select from seen_moment where key = ${probe.put(key, 'int')} and ${within(probe, 'at')} limit ${fewMoments}) counted`,
    probe.values,
  );
  const mine = `seen_moment.key = ${statement.put(key, 'int')} and ${within(statement, 'at')}${ofKind(statement)}`;
  statement.where(
    rows[0]!.few
      ? `ordinal = any (array(select ordinal from seen_moment where ${mine}))`
      : `(select true from seen_moment where seen_moment.ordinal = seen_found.ordinal and ${mine} limit 1)`,
  );
}

/** What the API knows of the record of an entry (src/examine/entry-record.ts writes it); the rest is handed on as it is. */
export interface ShownRecord {
  readonly locator: Locator;
  readonly path: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly allocated: { readonly name: boolean; readonly metadata: boolean };
  readonly times: readonly unknown[];
  readonly digests?: Readonly<Record<string, string>>;
  readonly mediaType?: string;
  readonly contentSize?: number;
  readonly problems?: readonly string[];
}

/** The canonical records at these places, in their order. */
export async function recordsAt(client: PoolClient, examinationId: string, locators: readonly Locator[]): Promise<string[]> {
  const { rows } = await client.query<{ locator: string; record: string }>(
    'select locator, record from seen_entry where examination_id = $1 and locator = any ($2)',
    [examinationId, locators],
  );
  const records = new Map(rows.map(({ locator, record }) => [locator, record]));
  return locators.flatMap((locator) => records.get(locator) ?? []);
}
