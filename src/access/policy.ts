/** Who may do what: one function, asked by the API for each request and by workers for each unit. Everything that is not allowed here is denied. */

/** Roles in one case. */
export type CaseRole = 'submitter' | 'investigator' | 'examiner' | 'lab-lead' | 'custodian' | 'auditor';
export const caseRoles: readonly CaseRole[] = ['submitter', 'investigator', 'examiner', 'lab-lead', 'custodian', 'auditor'];

/** Roles that hold in the whole agency; `administrator` and `ops` in the whole installation. None of them sees content. */
export type AgencyRole = 'administrator' | 'ops' | 'auditor' | 'lab-lead';
export const agencyRoles: readonly AgencyRole[] = ['administrator', 'ops', 'auditor', 'lab-lead'];

/** What a token may be limited to. A session has them all. */
export type Scope = 'read' | 'content' | 'submit' | 'control' | 'manage' | 'ops';
export const scopes: readonly Scope[] = ['read', 'content', 'submit', 'control', 'manage', 'ops'];

interface Rule {
  readonly scope: Scope;
  /** In the case that the request is about. */
  readonly inCase?: readonly CaseRole[];
  /** In the agency that the request is about; an administrator or ops in any. */
  readonly inAgency?: readonly AgencyRole[];
  /** Whoever is signed in, about what is its own. */
  readonly own?: true;
}

const content: readonly CaseRole[] = ['investigator', 'examiner', 'lab-lead'];

/** The whole policy. */
export const rules = {
  'agency.list': { scope: 'read', own: true },
  'agency.manage': { scope: 'manage', inAgency: ['administrator'] },
  'account.list': { scope: 'read', own: true },
  'account.read': { scope: 'read', own: true, inAgency: ['administrator', 'auditor', 'lab-lead'] },
  'account.manage': { scope: 'manage', inAgency: ['administrator'] },
  'self.read': { scope: 'read', own: true },
  'self.manage': { scope: 'manage', own: true },
  'case.list': { scope: 'read', own: true },
  'case.create': { scope: 'manage', inAgency: ['lab-lead'] },
  'case.read': { scope: 'read', inCase: caseRoles, inAgency: ['auditor'] },
  'case.members': { scope: 'manage', inCase: ['lab-lead'] },
  'exhibit.create': { scope: 'submit', inCase: ['submitter', 'examiner', 'lab-lead', 'custodian'] },
  'exhibit.read': { scope: 'read', inCase: caseRoles, inAgency: ['auditor'] },
  'evidence.submit': { scope: 'submit', inCase: ['submitter', 'examiner', 'lab-lead', 'custodian'] },
  'evidence.place': { scope: 'submit', inCase: ['examiner', 'lab-lead', 'custodian'] },
  'examination.start': { scope: 'submit', inCase: ['submitter', 'examiner', 'lab-lead', 'custodian'] },
  'examination.list': { scope: 'read', own: true },
  'examination.read': { scope: 'read', inCase: caseRoles, inAgency: ['auditor', 'ops'] },
  'examination.control': { scope: 'control', inCase: ['examiner', 'lab-lead'], inAgency: ['ops'] },
  'entries.read': { scope: 'content', inCase: content },
  'content.read': { scope: 'content', inCase: content },
  'report.read': { scope: 'content', inCase: content },
  'ledger.read': { scope: 'read', inCase: [...content, 'custodian', 'auditor'], inAgency: ['auditor'] },
  'audit.read': { scope: 'read', inAgency: ['auditor', 'administrator'] },
  'ops.read': { scope: 'ops', inAgency: ['ops'] },
  'ops.control': { scope: 'ops', inAgency: ['ops'] },
} as const satisfies Record<string, Rule>;

export type Action = keyof typeof rules;

export interface Subject {
  readonly accountId: string;
  readonly agencyId: string;
  readonly roles: readonly AgencyRole[];
  /** Null: a session, which no scope limits. */
  readonly scopes: readonly Scope[] | null;
}

/** What a request is about, as the database shows it to the subject. */
export interface Resource {
  /** Null for the installation as a whole. */
  readonly agencyId: string | null;
  /** The subject's roles in the case; empty outside of cases. */
  readonly caseRoles: readonly CaseRole[];
  /** Of whom it is, where it is somebody's own. */
  readonly ownerId?: string;
}

const everywhere: readonly AgencyRole[] = ['administrator', 'ops'];

/** The one decision. */
export function isAllowed(subject: Subject, action: Action, resource: Resource): boolean {
  const rule: Rule = rules[action];
  if (subject.scopes !== null && !subject.scopes.includes(rule.scope)) return false;
  if (rule.own === true && (resource.ownerId === undefined || resource.ownerId === subject.accountId)) return true;
  if (rule.inCase?.some((role) => resource.caseRoles.includes(role)) === true) return true;
  return rule.inAgency?.some((role) => holds(subject, role, resource.agencyId)) === true;
}

function holds({ roles, agencyId }: Subject, role: AgencyRole, about: string | null): boolean {
  if (!roles.includes(role)) return false;
  return everywhere.includes(role) || about === null || about === agencyId;
}
