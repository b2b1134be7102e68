/** What a route is made of: its policy, and what it may ask of the rest of the program. */
import { type TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify';
import { type PoolClient } from 'pg';
import { Type } from 'typebox';
import { type PasswordChecker } from '../access/password.ts';
import { type Action, type Resource, type Subject } from '../access/policy.ts';
import { type Installation } from '../installation.ts';
import { type ToldAuditEvent } from '../store/audit.ts';
import { type GroupCommit } from '../store/group-commit.ts';
import { type Strangers } from './strangers.ts';

/** The kind of thing a request is about; its id is the route's parameter of the same name and `Id` (`:caseId`, `:unitId`, ...). */
export type About = 'installation' | 'own' | 'agency' | 'account' | 'case' | 'exhibit' | 'examination' | 'unit' | 'upload';

export interface RoutePolicy {
  readonly action: Action;
  readonly about: About;
}

/** A route as the server knows it: who may call it. */
export interface DeclaredRoute {
  readonly method: string | string[];
  readonly url: string;
  readonly policy: RoutePolicy | 'public';
}

declare module 'fastify' {
  interface FastifyInstance {
    declaredRoutes: readonly DeclaredRoute[];
  }
  interface FastifyContextConfig {
    /** Without one the server does not start. `public`: for whoever can reach the server. */
    policy?: RoutePolicy | 'public';
    /** The answer holds a secret: it is not kept for a repeated request. */
    secretAnswer?: boolean;
    /** Not for idempotency keys: the request has a protocol of its own (uploads). */
    ownProtocol?: boolean;
  }
  interface FastifyRequest {
    /** Who asks; set before the handler runs, except on public routes. */
    subject: Subject;
    /** How the asker was known: the id of the session or token, and which of the two. */
    credential: { readonly kind: 'session' | 'token'; readonly id: string };
    /** What the request is about, as the asker sees it. */
    about: Found;
  }
}

/** The thing a request is about with all that it belongs to. */
export interface Found {
  readonly resource: Resource;
  readonly agencyId?: string;
  readonly caseId?: string;
  readonly exhibitId?: string;
  readonly examinationId?: string;
  readonly unitId?: string;
  readonly accountId?: string;
}

export interface Look {
  readonly examinationId: string;
  readonly how: 'listed' | 'viewed' | 'downloaded';
  readonly locator: string;
}

export interface Service {
  readonly installation: Installation;
  /** Written in groups; what is added is durable once its promise is kept. */
  readonly audit: GroupCommit<ToldAuditEvent>;
  /** Who is not let in, in the audit log. */
  readonly strangers: Strangers;
  readonly passwords: PasswordChecker;
  /** Served by TLS, here or by a proxy in front: cookies are for TLS only. */
  readonly secure: boolean;
  /** Reads with the eyes of whoever asks: see store/as-account.ts. */
  read<T>(request: FastifyRequest, read: (client: PoolClient) => Promise<T>): Promise<T>;
  /** Durable before it resolves: to be awaited before what was looked at leaves. */
  looked(request: FastifyRequest, look: Look): Promise<void>;
  /** Writes what is still on its way. */
  close(): Promise<void>;
}

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** The routes of one kind of resource, below /api/v1. */
export type Routes = (api: Api, service: Service) => void;

/** An id of ours: a UUID in lower case. */
export const Id = Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' });
export const isId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);

/** A closed object: a property that it does not name is refused. */
export const closed = { additionalProperties: false } as const;
