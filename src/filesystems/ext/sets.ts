/** What a walk remembers: a bit for each inode, and some bytes for each name of the directory at hand. */
import { type Name } from './directory.ts';

const pageBits = 15;
const pageSize = 2 ** pageBits / 8;

/** A bit for each inode, in pages that come with the first of their inodes: a superblock that claims four thousand million costs nothing. */
export class InodeSet {
  readonly #pages = new Map<number, Uint8Array>();

  /** False when it was there already. */
  add(inode: number): boolean {
    const number = inode >>> pageBits;
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(pageSize);
      this.#pages.set(number, page);
    }
    const at = (inode >>> 3) % pageSize;
    const mask = 1 << (inode & 7);
    if (page[at]! & mask) return false;
    page[at]! |= mask;
    return true;
  }

  has(inode: number): boolean {
    const page = this.#pages.get(inode >>> pageBits);
    return page !== undefined && (page[(inode >>> 3) % pageSize]! & (1 << (inode & 7))) !== 0;
  }
}

const smallest = 256;

/** The live names of one directory, as inode and digest of the name: that two names of the same inode share 32 bits is not to be expected. */
export class LiveNames {
  #slots = new Uint32Array(smallest); // pairs; inode 0 marks a free one
  #count = 0;

  clear(): void {
    if (this.#slots.length > smallest) this.#slots = new Uint32Array(smallest);
    else if (this.#count > 0) this.#slots.fill(0);
    this.#count = 0;
  }

  add(name: Name): void {
    if (this.#count * 4 >= this.#slots.length) this.#grow();
    this.#put(name.inode, digestOf(name));
    this.#count++;
  }

  has(name: Name): boolean {
    return this.#slots[this.#find(name.inode, digestOf(name))] !== 0;
  }

  /** Where the pair stands or would stand. Ends: at most half of the places are taken. */
  #find(inode: number, digest: number): number {
    const mask = this.#slots.length / 2 - 1;
    let place = Math.imul(inode ^ digest, 0x9e37_79b1) >>> 0;
    for (place &= mask; this.#slots[2 * place] !== 0; place = (place + 1) & mask) {
      if (this.#slots[2 * place] === inode && this.#slots[2 * place + 1] === digest) break;
    }
    return 2 * place;
  }

  #put(inode: number, digest: number): void {
    const at = this.#find(inode, digest);
    this.#slots[at] = inode;
    this.#slots[at + 1] = digest;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) if (old[at] !== 0) this.#put(old[at]!, old[at + 1]!);
  }
}

/** FNV-1a over the name as it stands on the disk. */
function digestOf({ name }: Name): number {
  const text = name.raw ?? name.text;
  let digest = 0x811c_9dc5;
  for (let at = 0; at < text.length; at++) digest = Math.imul(digest ^ text.charCodeAt(at), 0x0100_0193);
  return digest >>> 0;
}
