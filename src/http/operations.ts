/** Every operation of the API as its description names it: an id, a sentence, and what it answers when it succeeds. */
import { type AnswerName } from './answers.ts';

/** `of`: one of them; `page`: a page, with the cursor of the next; `items`: all of them; `media`: no JSON; null: nothing. */
export type Answered =
  | { readonly of: AnswerName }
  | { readonly page: AnswerName }
  | { readonly items: AnswerName }
  | { readonly media: string }
  | null;

export interface Operation {
  readonly id: string;
  readonly summary: string;
  readonly answers: Readonly<Record<number, Answered>>;
  /** A condition that it takes. */
  readonly condition?: 'if-match' | 'if-none-match';
}

const operation = (id: string, summary: string, answer: Answered, status = 200): Operation => ({
  id,
  summary,
  answers: { [status]: answer },
});
const page = (id: string, summary: string, name: AnswerName) => operation(id, summary, { page: name });
const items = (id: string, summary: string, name: AnswerName) => operation(id, summary, { items: name });
const one = (id: string, summary: string, name: AnswerName) => operation(id, summary, { of: name });
const made = (id: string, summary: string, name: AnswerName) => operation(id, summary, { of: name }, 201);
const done = (id: string, summary: string) => operation(id, summary, null, 204);
const media = (id: string, summary: string, type: string) => operation(id, summary, { media: type });
const tagged = (described: Operation): Operation => ({ ...described, condition: 'if-none-match' });
const matched = (described: Operation): Operation => ({ ...described, condition: 'if-match' });

const signingIn = {
  'POST /sessions': made('signIn', 'Sign in with a password; the session is a cookie', 'Session'),
  'DELETE /sessions': done('signOut', 'End the present session'),
  'GET /oidc/login': operation('beginOidc', 'Go to the OpenID provider', null, 303),
  'GET /oidc/callback': media('endOidc', 'Come back from the OpenID provider', 'text/html'),
  'POST /oidc/logout': operation('signOutOidc', 'End the present session, and say where the provider ends its own', {
    media: 'application/json',
  }),
  'GET /self': tagged(one('whoAmI', 'As whom the service knows you', 'Self')),
  'PUT /self/password': done('changePassword', 'Another password; other sessions end'),
  'GET /tokens': items('listTokens', 'Your tokens, without their secrets', 'Token'),
  'POST /tokens': made('createToken', 'A new token; its secret is shown this once', 'NewToken'),
  'DELETE /tokens/{tokenId}': done('revokeToken', 'End a token at once'),
} as const;

const people = {
  'GET /accounts': page('listAccounts', 'Accounts that you may see', 'Account'),
  'POST /accounts': made('createAccount', 'A new account', 'Account'),
  'GET /accounts/{accountId}': tagged(one('readAccount', 'One account', 'Account')),
  'PATCH /accounts/{accountId}': matched(one('changeAccount', 'Another name, roles or password; disable or enable', 'Account')),
  'GET /agencies': page('listAgencies', 'Agencies that you may see', 'Agency'),
  'POST /agencies': made('createAgency', 'A new agency', 'Agency'),
  'GET /agencies/{agencyId}': tagged(one('readAgency', 'One agency, and what it may use', 'Agency')),
  'PATCH /agencies/{agencyId}': matched(one('changeAgency', 'Other limits', 'Agency')),
  'GET /audit': page('listAudit', 'What was asked and decided, newest first', 'AuditEvent'),
  'GET /audit/export.jsonl': media('exportAudit', 'The audit log as signed lines that anybody can verify', 'application/jsonl'),
} as const;

const evidence = {
  'GET /cases': page('listCases', 'Cases that you may see', 'Case'),
  'POST /cases': made('createCase', 'A new case, led by whoever makes it', 'Case'),
  'GET /cases/{caseId}': tagged(one('readCase', 'One case', 'Case')),
  'PATCH /cases/{caseId}': matched(one('changeCase', 'Another title', 'Case')),
  'GET /cases/{caseId}/members': tagged(items('listMembers', 'Who takes part, in which roles', 'Member')),
  'PUT /cases/{caseId}/members/{accountId}': matched(one('setMember', 'Exactly these roles of a member', 'Member')),
  'DELETE /cases/{caseId}/members/{accountId}': matched(done('removeMember', 'Takes no longer part')),
  'GET /cases/{caseId}/exhibits': page('listExhibits', 'Exhibits of a case', 'Exhibit'),
  'POST /cases/{caseId}/exhibits': made('createExhibit', 'A new exhibit', 'Exhibit'),
  'GET /exhibits/{exhibitId}': tagged(one('readExhibit', 'One exhibit', 'Exhibit')),
  'GET /exhibits/{exhibitId}/segments': page('listSegments', 'Files that were accepted', 'Segment'),
  'POST /exhibits/{exhibitId}/segments': {
    ...operation('takeIn', 'Take in what lies below an evidence root (201), or fetch it from a bucket (202)', { items: 'Segment' }, 201),
    answers: { 201: { items: 'Segment' }, 202: { of: 'Upload' } },
  },
  'GET /evidence-roots': one('listPlaces', 'Evidence roots and buckets that the service knows, by name', 'Places'),
  'GET /exhibits/{exhibitId}/uploads': page('listUploads', 'Uploads of an exhibit, newest first', 'Upload'),
  'POST /exhibits/{exhibitId}/uploads': operation('beginUpload', 'Begin an upload (tus 1.0, creation)', null, 201),
  'OPTIONS /uploads': done('describeUploads', 'What of tus 1.0 is spoken here'),
  'HEAD /uploads/{uploadId}': operation('askUpload', 'How much has come (tus 1.0)', null),
  'GET /uploads/{uploadId}': one('readUpload', 'What became of an upload', 'Upload'),
  'PATCH /uploads/{uploadId}': done('sendUpload', 'Send on from an offset (tus 1.0)'),
  'DELETE /uploads/{uploadId}': done('cancelUpload', 'Give an upload up (tus 1.0, termination)'),
  'GET /exhibits/{exhibitId}/ledger': page('listLedger', 'Events of the ledger, in order', 'LedgerEvent'),
  'GET /exhibits/{exhibitId}/ledger/{seq}': one(
    'proveEvent',
    'One event, and the events after it: each names the digest of the one before (docs/LEDGER.md, section 2)',
    'ProvenEvent',
  ),
} as const;

const examinations = {
  'POST /exhibits/{exhibitId}/examinations': {
    ...operation('beginExamination', 'Examine an exhibit (201), or go on with the same examination (200)', { of: 'Begun' }, 201),
    answers: { 200: { of: 'Begun' }, 201: { of: 'Begun' } },
  },
  'GET /examinations': page('listExaminations', 'Examinations that you may see, newest first', 'ListedExamination'),
  'GET /examinations/{examinationId}': tagged(one('readExamination', 'One examination', 'Examination')),
  'PATCH /examinations/{examinationId}': one('prioritiseExamination', 'Another priority or deadline', 'ExaminationStanding'),
  'POST /examinations/{examinationId}/cancel': one(
    'cancelExamination',
    'Stop it for good, wherever it is worked on',
    'ExaminationStanding',
  ),
  'POST /examinations/{examinationId}/retry': one('retryExamination', 'Go on with one that failed or was cancelled', 'ExaminationStanding'),
  'POST /examinations/{examinationId}/pause': one('pauseExamination', 'Begin no unit of it', 'ExaminationStanding'),
  'POST /examinations/{examinationId}/resume': one('resumeExamination', 'Go on with a paused one', 'ExaminationStanding'),
  'GET /examinations/{examinationId}/events': media('followExamination', 'Progress until it has ended', 'text/event-stream'),
  'GET /events': media('followAll', 'Progress of all that you may see', 'text/event-stream'),
  'GET /examinations/{examinationId}/units': page('listUnits', 'Its units, and what became of them', 'Unit'),
  'PATCH /units/{unitId}': one('prioritiseUnit', 'Another priority', 'UnitStanding'),
  'POST /units/{unitId}/cancel': one('cancelUnit', 'Give a unit up; its examination goes on without', 'UnitStanding'),
  'POST /units/{unitId}/retry': one('retryUnit', 'Begin a unit again that was given up', 'UnitStanding'),
} as const;

const found = {
  'GET /examinations/{examinationId}/volumes': tagged(items('listVolumes', 'Partitions, tables and gaps of the medium', 'Volume')),
  'GET /examinations/{examinationId}/entries': page('searchEntries', 'Search the entries', 'ListedEntry'),
  'GET /examinations/{examinationId}/entries/{locator}': one('readEntry', 'One entry: its record and its problems', 'Entry'),
  'GET /examinations/{examinationId}/entries/{locator}/content': {
    ...media('readContent', 'The content of one entry; with Range, a part of it (206)', 'application/octet-stream'),
    answers: { 200: { media: 'application/octet-stream' }, 206: { media: 'application/octet-stream' } },
  },
  'GET /examinations/{examinationId}/problems': page('listProblems', 'Problems, by locator', 'FoundProblem'),
  'GET /examinations/{examinationId}/problems/summary': one('countProblems', 'Problems counted by code', 'ProblemCounts'),
  'GET /examinations/{examinationId}/timeline': page('readTimeline', 'All times of all entries, in order', 'Moment'),
  'GET /examinations/{examinationId}/report/{file}': media('readReport', 'One file of the report', '*/*'),
} as const;

const operating = {
  'GET /workers': page('listWorkers', 'Worker processes, and what each has in hand', 'Worker'),
  'PATCH /workers/{workerId}': one('orderWorker', 'Other threads, concurrency or state', 'Worker'),
  'GET /fleet': page('listFleet', 'How many workers are wanted on each host', 'Fleet'),
  'PUT /fleet': one('scaleFleet', 'So many workers on a host', 'Fleet'),
  'GET /queues': one('readQueue', 'What waits, whether it is worked on, and the room on the disk', 'Queue'),
  'POST /queues/units/pause': one('pauseQueue', 'Begin no unit', 'QueueStanding'),
  'POST /queues/units/resume': one('resumeQueue', 'Begin units again', 'QueueStanding'),
  'POST /queues/units/drain': one('drainQueue', 'Begin no unit, and end what was begun', 'QueueStanding'),
} as const;

/** Below /api/v1, by tag. */
export const operations: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  'signing in': signingIn,
  people,
  evidence,
  examinations,
  findings: found,
  operating,
};

/** At the root. */
export const rootOperations: Readonly<Record<string, Operation>> = {
  'GET /healthz': one('isAlive', 'Whether the process lives', 'Health'),
  'GET /readyz': one('isReady', 'Whether it can work (503: not now)', 'Health'),
  'GET /metrics': media('readMetrics', 'Metrics for Prometheus', 'text/plain'),
};
