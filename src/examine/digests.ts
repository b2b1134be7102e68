/** Digests by name. Node's own (OpenSSL) are the fastest where it has them; hash-wasm computes BLAKE3 and the XXH family (docs/PERFORMANCE.md). */
import { createHash, hash as hashOnce } from 'node:crypto';
import { createBLAKE3, createXXHash64, createXXHash128, type IHasher } from 'hash-wasm';

export interface Digests {
  update(bytes: Uint8Array): void;
  /** Lower-case hex by name. */
  finish(): Record<string, string>;
}

interface Running {
  update(bytes: Uint8Array): void;
  finish(): string;
}

/** Names of OpenSSL by ours. */
const native: Readonly<Record<string, string>> = {
  md5: 'md5',
  sha1: 'sha1',
  sha256: 'sha256',
  sha512: 'sha512',
  'sha3-256': 'sha3-256',
  blake2b: 'blake2b512',
};

const wasm: Readonly<Record<string, () => Promise<IHasher>>> = {
  blake3: () => createBLAKE3(),
  xxh64: () => createXXHash64(),
  xxh128: () => createXXHash128(),
};

export const digestNames: readonly string[] = [...Object.keys(native), ...Object.keys(wasm)];

/** Hashers of hash-wasm that are free: each digests one content at a time. */
const free = new Map<string, IHasher[]>();

/** To be awaited once in a thread before `createDigests` is asked for a digest of hash-wasm. Two of each: an archive's member is digested while nothing else is, save its neighbour's head. */
export async function prepareDigests(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const make = wasm[name];
    if (make !== undefined && !free.has(name)) free.set(name, [await make(), await make()]);
  }
}

/** Throws RangeError for a name that is none, or that was not prepared. */
export function createDigests(names: readonly string[]): Digests {
  const running = names.map((name) => [name, start(name)] as const);
  return {
    update(bytes) {
      for (const [, digest] of running) digest.update(bytes);
    },
    finish: () => Object.fromEntries(running.map(([name, digest]) => [name, digest.finish()])),
  };
}

function start(name: string): Running {
  const algorithm = native[name];
  if (algorithm !== undefined) {
    const digest = createHash(algorithm);
    return { update: (bytes) => void digest.update(bytes), finish: () => digest.digest('hex') };
  }
  const hasher = free.get(name)?.pop();
  if (hasher === undefined) throw new RangeError(`digest '${name}': not prepared, or none of ${digestNames.join(', ')}`);
  hasher.init();
  return {
    update: (bytes) => void hasher.update(bytes),
    finish() {
      free.get(name)!.push(hasher);
      return hasher.digest('hex');
    },
  };
}

/** All of a small content at once. */
export function digestsOf(names: readonly string[], bytes: Uint8Array): Record<string, string> {
  if (names.some((name) => native[name] === undefined)) {
    const digests = createDigests(names);
    digests.update(bytes);
    return digests.finish();
  }
  return Object.fromEntries(names.map((name) => [name, hashOnce(native[name]!, bytes, 'hex')]));
}
