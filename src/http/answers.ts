/** What the API answers, as its description tells: members that are always there; others may come with time. */
import { type TSchema, Type } from 'typebox';
import { agencyRoles, caseRoles, scopes } from '../access/policy.ts';
import { Id } from './route.ts';

const Time = Type.String({ format: 'date-time' });
const Count = Type.Integer({ minimum: 0 });
const Text = Type.String();
const some = <T extends TSchema>(type: T) => Type.Union([type, Type.Null()]);
const list = (values: readonly string[]) => Type.Array(Type.Union(values.map((value) => Type.Literal(value))));

const Examination = {
  id: Id,
  case: some(Type.Object({ id: Id, reference: some(Text) })),
  exhibit: Type.Object({ id: Id, label: Type.Optional(Text) }),
  status: Text,
  image: Type.Object({ format: Text, files: Count }),
  priority: Count,
  deadline: some(Time),
  created: Time,
  concluded: some(Time),
  pausedAt: some(Time),
  pausedBecause: some(Text),
  cancelledBecause: some(Text),
};
const LedgerEvent = { seq: Count, envelope: Text, digest: Text };
const Units = Type.Object({ open: Count, running: Count, bytesWaiting: Count, oldestSeconds: some(Type.Number()) });
const States = Type.Object({ state: some(Text), threads: some(Count), concurrency: some(Count) });
const Token = {
  id: Id,
  name: Text,
  scopes: list(scopes),
  createdAt: Time,
  expiresAt: Time,
  revokedAt: some(Time),
  usedAt: some(Time),
};
const Account = {
  id: Id,
  agencyId: Id,
  login: Text,
  name: Text,
  roles: list(agencyRoles),
  createdAt: Time,
  disabledAt: some(Time),
};

/** By the name that each has among the components of the description. */
export const answers = {
  Problem: Type.Object(
    { type: Text, title: Text, status: Type.Integer({ minimum: 400, maximum: 599 }), code: Text, detail: Text },
    { description: 'A problem document (RFC 9457). `code` stands in docs/ERRORS.md with its cause and remedy.' },
  ),
  Account: Type.Object(Account),
  Self: Type.Object({ ...Account, credential: Type.Object({ kind: Text, id: Id }), scopes: some(list(scopes)) }),
  Session: Type.Object({ accountId: Id, expiresAt: Time }),
  Token: Type.Object(Token),
  NewToken: Type.Object({ ...Token, token: Type.String({ description: 'the secret: shown this once' }) }),
  Agency: Type.Object({
    id: Id,
    name: Text,
    maxBytes: Count,
    maxObjects: Count,
    maxUploads: Count,
    maxRunningUnits: Count,
    createdAt: Time,
  }),
  Case: Type.Object({ id: Id, agencyId: Id, reference: Text, title: Text, createdAt: Time }),
  Member: Type.Object({ accountId: Id, login: Text, roles: list(caseRoles) }),
  Exhibit: Type.Object({ id: Id, caseId: Id, label: Text, description: Text, examiner: Text, createdAt: Time }),
  Segment: Type.Object({ id: Id, origin: Text, name: Text, size: Count, sha256: some(Text), accepted: Time }),
  Upload: Type.Object({
    id: Id,
    exhibitId: Id,
    origin: Text,
    name: Text,
    size: Count,
    received: Count,
    status: Text,
    sha256: some(Text),
    problem: some(Type.Object({ code: Text, detail: some(Text) })),
    created: Time,
    ended: some(Time),
  }),
  Places: Type.Object({ roots: Type.Array(Type.Object({ name: Text })), sources: Type.Array(Type.Object({ name: Text })) }),
  ListedExamination: Type.Object(Examination),
  Examination: Type.Object({
    ...Examination,
    conclusion: some(Type.Object({ integrity: Text, catalogueRoot: some(Text), hidesEvidence: some(Type.Boolean()) })),
    units: Type.Array(Type.Object({ kind: Text, status: Text, count: Count })),
  }),
  Begun: Type.Object({
    id: Id,
    resumed: Type.Boolean({ description: 'there was one of the same evidence and profile, which goes on' }),
    missing: Type.Array(Type.Unknown()),
  }),
  ExaminationStanding: Type.Object({
    id: Id,
    status: Text,
    priority: Count,
    deadline: some(Time),
    pausedAt: some(Time),
    pausedBecause: some(Text),
    cancelledBecause: some(Text),
  }),
  Volume: Type.Object({ locator: Text }),
  Unit: Type.Object({
    id: Id,
    kind: Text,
    status: Text,
    priority: Count,
    files: Count,
    bytes: Count,
    failures: Count,
    losses: Count,
    retries: Count,
    problem: some(Text),
    worker: some(Text),
    finishedAt: some(Time),
  }),
  UnitStanding: Type.Object({ id: Id, kind: Text, status: Text, priority: Count, cancelledBecause: some(Text) }),
  ListedEntry: Type.Object({ locator: Text, path: Text, name: Text, type: Text, size: Count, allocated: Type.Object({}) }),
  Entry: Type.Object({ record: Type.Object({ locator: Text, path: Text, name: Text, type: Text }), problems: Type.Array(Type.Object({})) }),
  FoundProblem: Type.Object({ locator: Text, code: Text, message: Text, at: some(Type.Number()), hidesEvidence: Type.Boolean() }),
  ProblemCounts: Type.Object({ codes: Type.Array(Type.Object({ code: Text, count: Count, hiding: Count })) }),
  Moment: Type.Object({
    kind: Text,
    time: Type.String({ description: 'as the evidence has it: never moved to another zone' }),
    zone: Text,
    resolutionNs: Type.Number(),
    offsetMinutes: some(Type.Integer()),
    locator: Text,
    path: Text,
    allocated: Type.Boolean(),
  }),
  LedgerEvent: Type.Object(LedgerEvent),
  ProvenEvent: Type.Object({
    ...LedgerEvent,
    proof: Type.Object({ links: Type.Array(Type.Object(LedgerEvent)), more: Type.Boolean() }),
  }),
  AuditEvent: Type.Object({
    seq: Count,
    at: Time,
    who: Type.Object({}),
    route: some(Text),
    action: Text,
    outcome: Text,
    about: Type.Object({}),
  }),
  Worker: Type.Object({
    id: Id,
    host: Text,
    pid: Count,
    version: Text,
    state: Text,
    threads: Count,
    concurrency: Count,
    heartbeatAt: Time,
    ordered: States,
    units: Type.Array(Type.Object({ id: Id, kind: Text, examination: Id })),
  }),
  Fleet: Type.Object({ host: Text, wanted: Count }),
  Queue: Type.Object({
    name: Text,
    backend: Text,
    state: Text,
    drained: Type.Boolean(),
    units: Units,
    room: Type.Object({ freeBytes: Count, reserveBytes: Count, short: Type.Boolean() }),
  }),
  QueueStanding: Type.Object({ name: Text, state: Text, units: Units }),
  Health: Type.Object({ ok: Type.Boolean() }),
} as const satisfies Readonly<Record<string, TSchema>>;

export type AnswerName = keyof typeof answers;
