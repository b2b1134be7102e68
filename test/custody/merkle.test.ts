/**
 * Merkle tree hashes. Witness: RFC 6962 section 2.1 by recursion as it is written there, and the roots that Certificate Transparency's own reference tests
 * hold (google/certificate-transparency, merkle_tree_test: eight inputs, one root for each count of leaves).
 */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { createMerkleTree, merkleRoot } from '../../src/custody/merkle.ts';

const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const roots = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const leaves = inputs.map((hex) => Buffer.from(hex, 'hex'));

it.each(roots.map((root, count) => [count, root] as const))('the root of %i leaves of the reference tests', (count, root) => {
  expect(merkleRoot(leaves.slice(0, count))).toBe(root);
});

const hash = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

/** MTH of RFC 6962 section 2.1: k is the largest power of two smaller than n. */
function mth(data: readonly Uint8Array[]): Buffer {
  if (data.length === 0) return hash();
  if (data.length === 1) return hash(Uint8Array.of(0), data[0]!);
  let k = 1;
  while (k * 2 < data.length) k *= 2;
  return hash(Uint8Array.of(1), mth(data.slice(0, k)), mth(data.slice(k)));
}

it('is that of the recursive definition for every count up to 300', () => {
  const data = Array.from({ length: 300 }, (_, index) => Buffer.from(`record ${index}`));
  const tree = createMerkleTree();
  for (const [index, leaf] of data.entries()) {
    tree.add(leaf);
    expect(tree.size).toBe(index + 1);
    expect(tree.root()).toBe(mth(data.slice(0, index + 1)).toString('hex'));
  }
});

it('does not take a node for a leaf: the prefixes of RFC 6962 keep them apart', () => {
  const [a, b] = [Buffer.from('a'), Buffer.from('b')];
  const node = Buffer.concat([hash(Uint8Array.of(0), a), hash(Uint8Array.of(0), b)]);
  expect(merkleRoot([node])).not.toBe(merkleRoot([a, b]));
});
