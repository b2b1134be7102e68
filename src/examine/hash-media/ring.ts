/** A ring of pieces of the medium in memory that the digesting threads of one image share. */

// Each piece is read (and inflated) once, by the thread that comes first, and digested by all. A thread that must wait for a piece reads one
// of the next in the meantime.

export interface Ring {
  /** Bytes of one piece. */
  readonly pieceSize: number;
  /** Gives the bytes of piece `index`, read by `load` here or by another thread. Pieces must be asked for in order. */
  take(index: number): Uint8Array;
  /** Says that this thread needs the piece no more. */
  done(index: number): void;
  /** True for exactly one of the threads: that one digests leaf `index`. Leaves must be asked for in order. */
  claimLeaf(index: number): boolean;
}

export interface RingOptions {
  readonly memory: SharedArrayBuffer;
  /** Threads that take every piece. */
  readonly takers: number;
  /** This thread, from 0. */
  readonly taker: number;
  readonly pieceSize: number;
  readonly pieceCount: number;
  /** Fills `target` with piece `index`; gives its length. */
  load(index: number, target: Uint8Array): number;
}

const controlBytes = 4096;
const leafSlots = 64;
const waitMs = 1000;
const state = { free: 0, loading: 1, ready: 2 } as const;

/** Control words per slot: round and state in one (round * 4 + state), takers done, length. A slot's rounds count how often it was filled. */
const words = 3;

export function openRing({ memory, takers, taker, pieceSize, pieceCount, load }: RingOptions): Ring {
  const slots = Math.min(32, Math.floor((memory.byteLength - controlBytes) / pieceSize));
  if (slots < 1) throw new RangeError(`ring of ${memory.byteLength} bytes: no room for a piece of ${pieceSize}`);
  const control = new Int32Array(memory, 0, (controlBytes / 4) | 0);
  const leaves = (controlBytes / 4 - leafSlots) | 0;
  const word = (slot: number, which: number) => slot * words + which;
  const bytesOf = (slot: number) => new Uint8Array(memory, controlBytes + slot * pieceSize, pieceSize);
  const wanted = (index: number, which: number) => Math.floor(index / slots) * 4 + which;

  /** Reads the piece if nobody has begun to. */
  function tryLoad(index: number): boolean {
    if (index >= pieceCount) return false;
    const slot = index % slots;
    if (
      Atomics.compareExchange(control, word(slot, 0), wanted(index, state.free), wanted(index, state.loading)) !== wanted(index, state.free)
    )
      return false;
    Atomics.store(control, word(slot, 2), load(index, bytesOf(slot)));
    Atomics.store(control, word(slot, 0), wanted(index, state.ready));
    Atomics.notify(control, word(slot, 0));
    return true;
  }

  return {
    pieceSize,
    take(index) {
      const slot = index % slots;
      const ready = wanted(index, state.ready);
      for (let found = Atomics.load(control, word(slot, 0)); found !== ready; found = Atomics.load(control, word(slot, 0))) {
        let helped = tryLoad(index);
        for (let ahead = index + 1; ahead < index + slots && !helped; ahead++) helped = tryLoad(ahead);
        // another thread reads it, or has not let go of the piece before it: a partner that died ends the task from outside
        if (!helped) Atomics.wait(control, word(slot, 0), found, waitMs);
      }
      return bytesOf(slot).subarray(0, Atomics.load(control, word(slot, 2)));
    },
    done(index) {
      const slot = index % slots;
      if (Atomics.add(control, word(slot, 1), 1) + 1 < takers) return;
      Atomics.store(control, word(slot, 1), 0);
      Atomics.store(control, word(slot, 0), wanted(index + slots, state.free));
      Atomics.notify(control, word(slot, 0));
    },
    claimLeaf(index) {
      // threads are never more than the ring apart: far fewer than `leafSlots` leaves are under way
      const at = leaves + (index % leafSlots);
      const mine = index * takers + taker + 1;
      while (true) {
        const found = Atomics.load(control, at);
        if (found > 0 && Math.floor((found - 1) / takers) === index) return found === mine;
        if (Atomics.compareExchange(control, at, found, mine) === found) return true;
      }
    },
  };
}
