/** Passwords: argon2id (RFC 9106) with the parameters of OWASP's cheat sheet, kept as PHC strings; hashed beside the main thread, few at a time. */
import { type Argon2Parameters, argon2, randomBytes, timingSafeEqual } from 'node:crypto';

/** 19 MiB, two passes, one lane: OWASP Password Storage Cheat Sheet, first choice of argon2id. */
const cost = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;

/** Each takes a thread that files are read on as well, and its memory. */
const hashedAtOnce = 2;
const mayWait = 64;

/** More sign-ins at once than can be answered in time. */
export class BusyError extends Error {}

export interface PasswordChecker {
  /** As long as the check of a right one, whether or not there is a password: `known` null takes the same time and is never right. */
  check(known: string | null, given: string): Promise<boolean>;
  hash(password: string): Promise<string>;
  /** Made at another cost than a new one would be. */
  isOutdated(known: string): boolean;
}

export function createPasswordChecker(): PasswordChecker {
  const take = turnstile();
  const stranger = formatPhc(randomBytes(16), randomBytes(32));
  return {
    check: (known, given) => take(async () => (await matches(known ?? stranger, given)) && known !== null),
    isOutdated: (known) => !known.startsWith(prefix),
    hash: (password) =>
      take(async () => {
        const nonce = randomBytes(16);
        return formatPhc(nonce, await derive({ ...cost, nonce, message: bytesOf(password) }));
      }),
  };
}

/** Between 12 and 256 characters, and not the login. Null where it may be used; else what is wrong with it. */
export function weaknessOf(password: string, login: string): string | null {
  const { length } = [...password];
  if (length < 12 || length > 256) return `it has ${length} characters, expected 12 to 256`;
  if (new Set(password.toLowerCase()).size < 5) return 'it repeats a few characters, expected at least five different ones';
  if (password.toLowerCase().includes(login.toLowerCase()) && login.length > 3) return 'it holds the login';
  return null;
}

/** NIST SP 800-63B section 5.1.1.2: what looks alike is typed alike. */
const bytesOf = (password: string) => Buffer.from(password.normalize('NFKC'));

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replaceAll('=', '');

const prefix = `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$`;

const formatPhc = (nonce: Uint8Array, tag: Uint8Array) => `${prefix}${base64(nonce)}$${base64(tag)}`;

async function matches(phc: string, given: string): Promise<boolean> {
  const parts = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/.exec(phc);
  if (parts === null) throw new TypeError('a stored password is no PHC string of argon2id, version 19');
  const [memory, passes, parallelism] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const tag = Buffer.from(parts[5]!, 'base64');
  const nonce = Buffer.from(parts[4]!, 'base64');
  const found = await derive({ memory, passes, parallelism, tagLength: tag.length, nonce, message: bytesOf(given) });
  return timingSafeEqual(found, tag);
}

const derive = (parameters: Argon2Parameters): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    argon2('argon2id', parameters, (error, tag) => (error === null ? resolve(tag) : reject(error)));
  });

function turnstile() {
  let busy = 0;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (busy >= hashedAtOnce) {
      if (waiting.length >= mayWait) throw new BusyError(`${waiting.length} sign-ins wait already`);
      await new Promise<void>((resolve) => waiting.push(resolve)); // whoever leaves hands its place on
    } else busy++;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) busy--;
      else next();
    }
  };
}
