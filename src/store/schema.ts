/** The tables as queries see them, and typed queries over a pool or inside a transaction. */
import { type ColumnType, Kysely, PostgresDialect, type PostgresPool } from 'kysely';
import { type Pool, type PoolClient } from 'pg';
import { type AgencyRole, type CaseRole, type Scope } from '../access/policy.ts';
import { type ImageReference, type Profile } from '../evidence/task.ts';

type Given<T> = ColumnType<T, T | undefined, T>;
/** Written as JSON text, read as what it holds. */
type Json<T> = ColumnType<T, string, string>;
type GivenJson<T> = ColumnType<T, string | undefined, string>;
/** 64-bit numbers are read as text. */
type Big = ColumnType<string, number | undefined, number>;

export type UnitKind = 'hash-media' | 'survey' | 'list-files' | 'examine-files' | 'conclude';
export type UnitStatus = 'open' | 'done' | 'split' | 'quarantined' | 'cancelled';
export type UploadStatus = 'receiving' | 'checking' | 'accepted' | 'failed' | 'cancelled';
/** Of a worker and of the queue: `paused` and `draining` begin nothing new; a worker that drains ends when its units have. */
export type RunState = 'running' | 'paused' | 'draining';
export type ExaminationStatus = 'open' | 'concluding' | 'complete' | 'integrity-failed' | 'failed' | 'cancelled';

/** What a file was when it was received: the tuple that betrays a change. */
export interface StatTuple {
  readonly name: string;
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
  readonly device: string;
}

export interface Tables {
  agency: {
    id: Given<string>;
    name: string;
    max_bytes: Big;
    max_objects: Given<number>;
    max_uploads: Given<number>;
    max_running_units: Given<number>;
    /** Of the units that run at once, against those of other agencies. */
    share: Given<number>;
    created_at: Given<Date>;
  };
  account: {
    id: Given<string>;
    agency_id: string;
    login: string;
    name: string;
    /** argon2id, in the PHC string format. */
    password: Given<string | null>;
    oidc_issuer: Given<string | null>;
    oidc_subject: Given<string | null>;
    roles: Given<AgencyRole[]>;
    created_at: Given<Date>;
    disabled_at: Given<Date | null>;
  };
  session: {
    id: Given<string>;
    account_id: string;
    secret_sha256: Buffer;
    created_at: Given<Date>;
    used_at: Given<Date>;
    expires_at: Date;
    revoked_at: Given<Date | null>;
    method: Given<'password' | 'oidc'>;
  };
  api_token: {
    id: Given<string>;
    account_id: string;
    name: string;
    secret_sha256: Buffer;
    scopes: Scope[];
    one_time: Given<boolean>;
    created_at: Given<Date>;
    expires_at: Date;
    revoked_at: Given<Date | null>;
    used_at: Given<Date | null>;
  };
  case_file: { id: Given<string>; agency_id: Given<string>; reference: string; title: Given<string>; created_at: Given<Date> };
  case_member: { case_id: string; account_id: string; role: CaseRole; added_by: string | null; added_at: Given<Date> };
  idempotency: {
    account_id: string;
    key: string;
    request_sha256: Buffer;
    status: Given<number | null>;
    body: Given<string | null>;
    created_at: Given<Date>;
  };
  audit: {
    seq: ColumnType<string, number, number>;
    envelope: string;
    digest: string;
    account_id: string | null;
    agency_id: string | null;
    action: string;
    outcome: string;
    at: Date;
  };
  audit_head: { single: Given<boolean>; seq: ColumnType<string, number, number>; digest: string };
  exhibit: { id: Given<string>; case_id: string; label: string; description: Given<string>; examiner: string; created_at: Given<Date> };
  examination: {
    id: Given<string>;
    exhibit_id: string;
    status: Given<ExaminationStatus>;
    /** Who asked for it, as stated. */
    examiner: string;
    image: Json<ImageReference>;
    received: Json<readonly StatTuple[]>;
    profile: Json<Profile>;
    open_units: Given<number>;
    created_at: Given<Date>;
    concluded_at: Given<Date | null>;
    conclusion: GivenJson<unknown>;
    /** Whose request it was, where it came through the API. */
    submitted_by: Given<string | null>;
    /** Of its case: set by the database. */
    agency_id: Given<string>;
    /** 1 (first) to 10 (last). */
    priority: Given<number>;
    deadline: Given<Date | null>;
    queued_at: Given<Date>;
    paused_at: Given<Date | null>;
    paused_because: Given<string | null>;
    cancelled_because: Given<string | null>;
  };
  unit: {
    id: Given<string>;
    examination_id: string;
    parent_id: Given<string | null>;
    kind: UnitKind;
    priority: number;
    input: GivenJson<unknown>;
    payload: Given<Buffer | null>;
    files: Given<number>;
    bytes: Big;
    status: Given<UnitStatus>;
    fence: Big;
    failures: Given<number>;
    losses: Given<number>;
    worker_id: Given<string | null>;
    lease_until: Given<Date | null>;
    announced_at: Given<Date>;
    finished_at: Given<Date | null>;
    reason: Given<string | null>;
    result: GivenJson<unknown>;
    progress_bytes: Big;
    progress_files: Given<number>;
    /** How often it was begun anew after it had ended. */
    retries: Given<number>;
    /** It is given up for this reason instead of being worked on. */
    cancelled_because: Given<string | null>;
  };
  volume: { examination_id: string; locator: string; unit_id: string; position: number; facts: Json<unknown> };
  entry: {
    examination_id: string;
    unit_id: string;
    locator: string;
    path: string;
    type: string;
    size: Big;
    allocated: boolean;
    sha256: Buffer | null;
    media_type: string | null;
    record: string;
  };
  problem: {
    examination_id: string;
    unit_id: string;
    locator: string;
    code: string;
    message: string;
    at: ColumnType<string | null, number | null, number | null>;
    hides_evidence: boolean;
  };
  ledger: { exhibit_id: string; seq: ColumnType<string, number, number>; envelope: string; digest: string; event_key: string };
  ledger_head: { exhibit_id: string; seq: ColumnType<string, number, number>; digest: string };
  looked: {
    id: Given<string>;
    exhibit_id: string;
    examination_id: string;
    account_id: string;
    credential: string;
    how: string;
    locator: string;
    at: Given<Date>;
    recorded: Given<string | null>;
  };
  sign_in_failure: { key_sha256: Buffer; failures: number; at: Given<Date> };
  oidc_flow: { browser_sha256: Buffer; state: string; nonce: string; verifier: string; expires_at: Date };
  stored_object: { sha256: string; size: Big; stored_at: Given<Date> };
  upload: {
    id: Given<string>;
    exhibit_id: string;
    agency_id: string;
    account_id: string;
    /** How the account was known: `session` or `token`. */
    credential: string;
    origin: 'upload' | 's3';
    name: string;
    size: Big;
    expected_sha256: string | null;
    status: Given<UploadStatus>;
    problem_code: Given<string | null>;
    problem: Given<string | null>;
    source: Given<string | null>;
    source_key: Given<string | null>;
    source_etag: Given<string | null>;
    /** Of what came, once it was read from the disk. */
    sha256: Given<string | null>;
    /** Who writes or checks at present, and until when unless renewed. */
    holder: Given<string | null>;
    held_until: Given<Date | null>;
    created_at: Given<Date>;
    touched_at: Given<Date>;
    ended_at: Given<Date | null>;
  };
  segment: {
    id: Given<string>;
    exhibit_id: string;
    account_id: string;
    origin: 'upload' | 's3' | 'place';
    name: string;
    size: Big;
    sha256: Given<string | null>;
    upload_id: Given<string | null>;
    /** In place: name of the evidence root, path below it, and what the file was. */
    root: Given<string | null>;
    root_path: Given<string | null>;
    received: GivenJson<StatTuple | null>;
    accepted_at: Given<Date>;
  };
  laboratory: { single: Given<boolean>; signer: string };
  /** The entries that an account may see: a view. */
  seen_entry: Tables['entry'];
  worker: {
    id: string;
    host: string;
    pid: number;
    started: string;
    version: string;
    threads: number;
    concurrency: number;
    registered_at: Given<Date>;
    heartbeat_at: Given<Date>;
    state: Given<RunState>;
    /** Why it takes nothing although it runs. */
    halted_because: Given<string | null>;
    wanted_state: Given<RunState>;
    wanted_threads: Given<number | null>;
    wanted_concurrency: Given<number | null>;
  };
  queue_control: { single: Given<boolean>; state: Given<RunState>; changed_at: Given<Date> };
  fleet: { host: string; workers: number; changed_at: Given<Date> };
}

export type Queries = Kysely<Tables>;

const dialects = new WeakMap<object, Queries>();

/** Typed queries over a pool, or over one client inside the caller's transaction. The connection stays the caller's. */
export function queries(connection: Pool | PoolClient): Queries {
  const known = dialects.get(connection);
  if (known !== undefined) return known;
  const made = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: borrowed(connection) }) });
  dialects.set(connection, made);
  return made;
}

/** A pool in Kysely's eyes that gives out what is the caller's, and ends nothing. */
export function borrowed(connection: Pool | PoolClient): PostgresPool {
  const isClient = 'release' in connection;
  const connect = async () =>
    isClient ? { query: connection.query.bind(connection), release: () => undefined } : (connection as Pool).connect();
  return { connect, end: async () => undefined } as unknown as PostgresPool;
}
