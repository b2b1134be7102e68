/** Merkle tree hashes. Spec: RFC 6962 section 2.1 (the same in RFC 9162 section 2.1). */
import { createHash } from 'node:crypto';

export const leafHash = (leaf: Uint8Array): Buffer => createHash('sha256').update(Uint8Array.of(0)).update(leaf).digest();

const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer =>
  createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest();

/** Gathers leaves one by one; holds one hash for each bit of their count. */
export interface MerkleTree {
  readonly size: number;
  add(leaf: Uint8Array): void;
  /** Lower-case hex. Of no leaves: SHA-256 of nothing. */
  root(): string;
}

export function createMerkleTree(): MerkleTree {
  /** Roots of full subtrees, the largest first; their sizes are the bits of `size`. */
  const full: Buffer[] = [];
  let size = 0;
  return {
    get size() {
      return size;
    },
    add(leaf) {
      let hash = leafHash(leaf);
      for (let bit = size; bit & 1; bit >>>= 1) hash = nodeHash(full.pop()!, hash);
      full.push(hash);
      size++;
    },
    root() {
      if (size === 0) return createHash('sha256').digest('hex');
      return full.reduceRight((right, left) => nodeHash(left, right)).toString('hex');
    },
  };
}

export function merkleRoot(leaves: Iterable<Uint8Array>): string {
  const tree = createMerkleTree();
  for (const leaf of leaves) tree.add(leaf);
  return tree.root();
}
