/** The description of the API (OpenAPI 3.1): what the schemas of the routes do not tell is added here, for all of them at once. */
import { type AnswerName, answers } from './answers.ts';
import { type Answered, type Operation, operations, rootOperations } from './operations.ts';
import { type DeclaredRoute } from './route.ts';

const base = '/api/v1';

interface Parameter {
  readonly name: string;
  readonly in: string;
}

export interface Described {
  parameters?: Parameter[];
  [member: string]: unknown;
}

export interface Document {
  paths?: Record<string, Record<string, Described>>;
  components?: Record<string, unknown>;
  [member: string]: unknown;
}

/** By method and path as the description writes it; what is not described is a plugin's. */
const known: ReadonlyMap<string, readonly [tag: string, operation: Operation]> = new Map([
  ...Object.entries(operations).flatMap(([tag, named]) =>
    Object.entries(named).map(([key, operation]) => [key.replace(' ', ` ${base}`), [tag, operation]] as const),
  ),
  ...Object.entries(rootOperations).map(([key, operation]) => [key, ['operating', operation]] as const),
]);

const reference = (name: AnswerName) => ({ $ref: `#/components/schemas/${name}` });
const header = (name: string, description: string) => ({ name, in: 'header', required: false, description, schema: { type: 'string' } });

const idempotencyKey = header(
  'Idempotency-Key',
  'A request that is sent again with its key is answered as the first one was, and not done again',
);
const conditions = {
  'if-match': header('If-Match', 'The tag that was read: 412 where it was changed in the meantime'),
  'if-none-match': header('If-None-Match', 'The tag that is known: 304 where it is the same still'),
} as const;
const tus = { ...header('Tus-Resumable', 'Expected: 1.0.0'), required: true };
const tusHeaders: Readonly<Record<string, readonly object[]>> = {
  beginUpload: [
    { ...header('Upload-Length', 'Bytes'), required: true },
    { ...header('Upload-Metadata', 'filename and sha256, each in base64'), required: true },
  ],
  askUpload: [],
  cancelUpload: [],
  sendUpload: [
    { ...header('Upload-Offset', 'Where these bytes begin'), required: true },
    header('Upload-Checksum', 'Algorithm and digest of this request in base64'),
  ],
};

/** Changes the document; what it holds of plugins is left out. */
export function describe<D extends object>(given: D, declared: readonly DeclaredRoute[]): D {
  const document = given as Document;
  const policies = new Map(declared.map(({ method, url, policy }) => [`${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`, policy]));
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const [method, described] of Object.entries(methods)) {
      const key = `${method.toUpperCase()} ${path}`;
      const [tag, operation] = known.get(key) ?? [];
      if (tag === undefined || operation === undefined) delete methods[method];
      else {
        const policy = policies.get(key);
        // without an account there is nobody to keep an answer for
        const takesKey = method === 'post' && policy !== 'public' && !(operation.id in tusHeaders);
        Object.assign(described, membersOf(described, tag, operation, takesKey), policyOf(policy));
      }
    }
    if (Object.keys(methods).length === 0) delete document.paths![path];
  }
  document.components = { ...document.components, schemas: answers, responses: { Problem: problem } };
  document.tags = [...Object.keys(operations)].map((name) => ({ name }));
  return given;
}

function policyOf(policy: DeclaredRoute['policy'] | undefined): object {
  if (policy === 'public') return { description: 'For whoever reaches the service.', security: [] };
  if (policy === undefined) return {};
  return { description: `For whoever may do \`${policy.action}\` (src/access/policy.ts).` };
}

function membersOf({ parameters = [] }: Described, tag: string, operation: Operation, takesKey: boolean): object {
  const { id, summary, answers: given, condition } = operation;
  const isTus = id in tusHeaders;
  const headers = [
    ...(takesKey ? [idempotencyKey] : []),
    ...(condition === undefined ? [] : [conditions[condition]]),
    ...(isTus ? [tus, ...tusHeaders[id]!] : []),
  ];
  const statuses = Object.entries(given).map(([status, answer]) => [status, responseOf(status, answer)] as const);
  return {
    operationId: id,
    summary,
    tags: [tag],
    parameters: [...parameters, ...headers],
    ...(id === 'sendUpload'
      ? {
          requestBody: { required: true, content: { 'application/offset+octet-stream': { schema: { type: 'string', format: 'binary' } } } },
        }
      : {}),
    responses: {
      ...Object.fromEntries(statuses),
      ...(condition === 'if-none-match' ? { 304: { description: 'The same still' } } : {}),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

const problem = {
  description: 'Refused: a problem document (RFC 9457). What you may not see reads as what is not there: 404.',
  content: { 'application/problem+json': { schema: reference('Problem') } },
} as const;

const words: Readonly<Record<string, string>> = {
  200: 'Done',
  201: 'Made',
  202: 'Begun',
  204: 'Done, there is nothing to tell',
  206: 'A part of it',
  303: 'Elsewhere',
};

const responseOf = (status: string, answer: Answered): object => ({
  description: words[status]!,
  ...(answer === null ? {} : { content: contentOf(answer) }),
});

function contentOf(answer: NonNullable<Answered>): object {
  if ('media' in answer) return { [answer.media]: {} };
  return { 'application/json': { schema: schemaOf(answer) } };
}

function schemaOf(answer: Exclude<NonNullable<Answered>, { media: string }>): object {
  if ('of' in answer) return reference(answer.of);
  const name = 'page' in answer ? answer.page : answer.items;
  const listed = { items: { type: 'array', items: reference(name) } };
  if ('items' in answer) return { type: 'object', required: ['items'], properties: listed };
  const next = { description: 'the cursor of the next page; null on the last', anyOf: [{ type: 'string' }, { type: 'null' }] };
  return { type: 'object', required: ['items', 'next'], properties: { ...listed, next } };
}
