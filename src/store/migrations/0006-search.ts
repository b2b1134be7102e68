/** What an investigator searches: a row for each entry with what is filtered and sorted by, and a row for each of its times (docs/adr/0013-search.md). */
import { type Kysely, sql } from 'kysely';

/** Pure functions; characters are classed by Unicode, whatever the locale of the database is. */
const functions = [
  // equal for names that differ in case only
  `create function custodia_fold(name text) returns text language sql immutable strict parallel safe
     return casefold(name collate "pg_c_utf8") collate "C"`,

  // a name splits at punctuation, where a small letter meets a capital, and where a letter meets a digit
  `create function custodia_words(name text) returns text[] language sql immutable strict parallel safe
     return array(
       select distinct left(word, 200) from regexp_split_to_table(casefold(regexp_replace(
         normalize(left(name, 1000), nfc) collate "pg_c_utf8",
         '(?<=[[:lower:]])(?=[[:upper:]])|(?<=[[:alpha:]])(?=[[:digit:]])|(?<=[[:digit:]])(?=[[:alpha:]])', ' ', 'g')),
         '[[:space:][:punct:][:cntrl:]]+') as word
       where word <> '')`,

  // what follows the last dot, in one case; a dot at the beginning does not count
  `create function custodia_extension(name text) returns text language sql immutable strict parallel safe
     return case when strpos(substr(name, 2), '.') = 0 then ''
       else left(custodia_fold(reverse(split_part(reverse(substr(name, 2)), '.', 1))), 100) end`,

  // seconds since 1970 on the clock that wrote the time; all forms of formatExactTime (src/bytes/exact-time.ts)
  `create function custodia_instant(written text) returns numeric language sql immutable strict parallel safe
     return case
       when written >= '0001' and written < ':' then extract(epoch from left(written, 19)::timestamp) + ('0' || rtrim(substr(written, 20), 'Z'))::numeric
       when written like '@%' then rtrim(substr(written, 2), 'Z')::numeric
       when written like '+%' then extract(epoch from substr(written, 2, 21)::timestamp) + ('0' || rtrim(substr(written, 23), 'Z'))::numeric
       when written like '-%' then extract(epoch from (lpad((substr(written, 2, 6)::int + 1)::text, 4, '0') || substr(written, 8, 15) || ' BC')::timestamp)
         + ('0' || rtrim(substr(written, 23), 'Z'))::numeric
       when written like '0000-%' then extract(epoch from ('0001' || substr(written, 5, 15) || ' BC')::timestamp) + ('0' || rtrim(substr(written, 20), 'Z'))::numeric end`,

  // glob with classes, over tokens that src/store/glob.ts made: 'c' and a character, '?', '*', '[' or '!' and the characters of a class
  `create function custodia_glob(name text, tokens text[]) returns boolean language plpgsql immutable strict parallel safe as $$
   declare
     at int := 1; size int := length(name); token int := 1; count int := cardinality(tokens);
     star int := 0; resume int := 0; kind text; rest text; here text;
   begin
     loop
       if token > count and at > size then return true; end if;
       if token <= count then
         kind := left(tokens[token], 1);
         if kind = '*' then
           star := token; resume := at; token := token + 1;
           continue;
         end if;
         if at <= size then
           rest := substr(tokens[token], 2); here := substr(name, at, 1);
           if kind = '?' or (kind = 'c' and here = rest) or (kind = '[' and strpos(rest, here) > 0) or (kind = '!' and strpos(rest, here) = 0) then
             token := token + 1; at := at + 1;
             continue;
           end if;
         end if;
       end if;
       if star = 0 or resume > size then return false; end if;
       resume := resume + 1; at := resume; token := star + 1;
     end loop;
   end $$`,

  // times of the file system or archive first, then those that a camera wrote, on a clock of which nothing is known
  `create function custodia_times(record jsonb)
     returns table (nth int, kind text, written text, zone text, resolution_ns bigint, offset_minutes int) language sql immutable parallel safe as $$
     select (place - 1)::int, told->>'kind', told->>'time', told->>'zone', (told->>'resolutionNs')::bigint, (told->>'offsetMinutes')::int
       from jsonb_array_elements(record->'times') with ordinality as listed (told, place)
     union all
     select (1000 + row_number() over (order by key collate "C"))::int, key, translate(left(value #>> '{}', 10), ':', '-') || 'T' || substr(value #>> '{}', 12, 8),
         'local-unknown', 1000000000, null
       from jsonb_each(record->'facts')
       where key in ('exif.DateTimeOriginal', 'exif.DateTimeDigitized', 'exif.DateTime', 'exif.CreateDate', 'exif.ModifyDate')
         and jsonb_typeof(value) = 'string' and value #>> '{}' similar to '[0-9]{4}:[0-9]{2}:[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}'
         and pg_input_is_valid(translate(left(value #>> '{}', 10), ':', '-') || substr(value #>> '{}', 11), 'timestamp') $$`,
];

/** One definition of what is searched: rows are made of it, and an examination without rows is searched through it. */
const facts = `
  select examination_id, locator, path collate "C" as path, named.name collate "C" as name,
    custodia_fold(named.name) collate "C" as folded, custodia_extension(named.name) collate "C" as extension,
    type collate "C" as type, size, allocated, coalesce(media_type, '') collate "C" as media_type, entry.record,
    coalesce((select max(custodia_instant(told->>'time')) from jsonb_array_elements(parsed.record->'times') as told where told->>'kind' = 'modified'),
      '-infinity') as modified,
    decode(parsed.record #>> '{digests,md5}', 'hex') as md5, decode(parsed.record #>> '{digests,sha1}', 'hex') as sha1, sha256,
    array(select jsonb_array_elements_text(parsed.record->'problems') union all select 'not allocated' where not allocated) as codes,
    parsed.record->'facts' as facts,
    array_to_tsvector(custodia_words(named.name)) as words
  from entry
  cross join lateral (select entry.record::jsonb as record offset 0) as parsed
  cross join lateral (select parsed.record->>'name' as name offset 0) as named`;

const tables = [
  // many entries: a key from 1 up and a partition of their own, whose indexes are built in one go; few: a key from -1 down, all in one partition
  'create sequence search_large as integer',
  'create sequence search_small as integer increment -1',
  // an examination has a row here when all of its entries have one in found
  `create table search (
     key integer primary key,
     examination_id uuid not null unique references examination,
     made_at timestamptz not null default clock_timestamp())`,

  // codes: of problems, and 'not allocated': one index then finds what is both. ordinal: the place in the order of locators. Without a time of its own an entry was modified at -infinity, without a type of content it has ''
  `create table found (
     key integer not null,
     ordinal integer not null,
     locator text collate "C" not null,
     path text collate "C" not null,
     name text collate "C" not null,
     folded text collate "C" not null,
     extension text collate "C" not null,
     type text collate "C" not null,
     size bigint not null,
     allocated boolean not null,
     media_type text collate "C" not null,
     modified numeric not null,
     md5 bytea,
     sha1 bytea,
     sha256 bytea,
     codes text[] not null,
     facts jsonb,
     words tsvector not null) partition by range (key)`,
  'create table found_small partition of found for values from (minvalue) to (0)',
  `create table moment (
     key integer not null,
     ordinal integer not null,
     at numeric not null,
     nth smallint not null,
     kind text collate "C" not null) partition by range (key)`,
  'create table moment_small partition of moment for values from (minvalue) to (0)',
];

/** Of `found` and of each of its partitions. An index takes 2,704 bytes of a text at most: 600 characters are 2,400. */
export const foundIndexes = (table: string): string[] => [
  `alter table ${table} add primary key (key, ordinal)`,
  `create unique index on ${table} (key, locator)`,
  `create index on ${table} (key, left(path, 600), ordinal)`,
  `create index on ${table} (key, left(folded, 600), ordinal)`,
  `create index on ${table} (key, size, ordinal)`,
  `create index on ${table} (key, modified, ordinal)`,
  `create index on ${table} (key, type, ordinal)`,
  `create index on ${table} (key, extension, ordinal)`,
  `create index on ${table} (key, media_type, ordinal)`,
  `create index on ${table} (key, ordinal) where not allocated`,
  `create index on ${table} using hash (md5)`,
  `create index on ${table} using hash (sha1)`,
  `create index on ${table} using hash (sha256)`,
];

/**
 * Words, patterns and what few entries have; where pg_trgm and btree_gin are not installed (they come with PostgreSQL) a search by pattern reads all names.
 * Of partitions only: where each has one examination, a list of all of its rows under `key` would be read for every question.
 */
export const wordIndex = (table: string, isShared: boolean): string =>
  `do $$ begin
     if (select count(*) from pg_extension where extname in ('pg_trgm', 'btree_gin')) = 2 then
       create index on ${table} using gin (${isShared ? 'key, ' : ''}words, folded gin_trgm_ops, facts jsonb_path_ops, codes, extension, media_type);
     else
       create index on ${table} using gin (words, facts jsonb_path_ops, codes);
     end if;
   end $$`;

/** With all that a timeline is cut by: answered without a look at the rows, which are in another order. */
export const momentIndexes = (table: string): string[] => [
  `alter table ${table} add primary key (key, ordinal, nth) include (at, kind)`,
  `create index on ${table} (key, at, ordinal, nth) include (kind)`,
];

const extensions = `do $$ begin
  create extension if not exists pg_trgm;
  create extension if not exists btree_gin;
exception when undefined_file or feature_not_supported or insufficient_privilege then
  raise notice 'pg_trgm, btree_gin: not installed';
end $$`;

const mine = `examination_id = any (array(select custodia_examinations(array['investigator', 'examiner', 'lab-lead'])))`;

/**
 * Rows of the one examination that was opened for the transaction, where the account may see what is in it. Asked once for a statement; in a form
 * of which the planner expects nothing, so that its estimates come from the key that the statement names as well.
 */
const walls = [
  `create function custodia_opened() returns integer language sql stable security definer set search_path = public, pg_temp as
     $$ select key from search where examination_id = nullif(current_setting('custodia.examination', true), '')::uuid and ${mine} $$`,
  `create view seen_search as select * from search where ${mine}`,
  'create view seen_found as select * from found where case when key = (select custodia_opened()) then true end',
  'create view seen_moment as select * from moment where case when key = (select custodia_opened()) then true end',
  `create view entry_fact as ${facts}`,
  `create view seen_fact as select * from entry_fact where ${mine}`,
  'grant select on seen_search, seen_found, seen_moment, seen_fact to custodia_api',
  // problems are paged in an order that does not change
  'alter table problem add column id bigint generated always as identity',
  'create index problem_code on problem (examination_id, code, locator, id)',
];

const indexes = [...foundIndexes('found'), wordIndex('found_small', true), ...momentIndexes('moment')];

export async function up(database: Kysely<unknown>): Promise<void> {
  for (const statement of [...functions, ...tables, extensions, ...indexes, ...walls]) await sql.raw(statement).execute(database);
}
