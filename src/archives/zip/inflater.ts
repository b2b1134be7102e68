/** Inflates piece by piece, synchronously, into a buffer of its own: Node's zlib object, driven without its stream. Spec: RFC 1951. */
import { constants, createInflateRaw } from 'node:zlib';
import { FormatError } from '../../evidence/errors.ts';

/** The part of Node's own zlib object that is used. Not documented: `createEngine` refuses a Node that lacks it. */
interface Handle {
  reset(): void;
  writeSync(flush: number, input: Uint8Array, inputAt: number, inputSize: number, output: Uint8Array, at: number, size: number): void;
  onerror: (message: string) => void;
}

interface Engine {
  readonly output: Uint8Array;
  restart(): void;
  /** Inflates what fits into `output`. */
  step(input: Uint8Array, flush: number): { readonly produced: number; readonly taken: number; readonly fault: string | null };
}

const outputSize = 128 * 1024;
const nothing = new Uint8Array(0);

function createEngine(): Engine {
  const stream = createInflateRaw() as unknown as { _handle?: Partial<Handle>; _writeState?: unknown };
  const { _handle: handle, _writeState: left } = stream;
  if (typeof handle?.reset !== 'function' || typeof handle.writeSync !== 'function' || !(left instanceof Uint32Array)) {
    throw new Error(`Node ${process.version} has no zlib object of the expected kind`);
  }
  const { reset, writeSync } = handle;
  const output = new Uint8Array(outputSize);
  let fault: string | null = null;
  handle.onerror = (message) => {
    fault = message;
  };
  return {
    output,
    restart: () => reset.call(handle),
    step(input, flush) {
      fault = null;
      writeSync.call(handle, flush, input, 0, input.length, output, 0, output.length);
      if (fault !== null) return { produced: 0, taken: 0, fault };
      return { produced: output.length - left[0]!, taken: input.length - left[1]!, fault };
    },
  };
}

/** Engines that are free: making one costs more than inflating a small member. */
const free: Engine[] = [];

export function createInflater() {
  const engine = free.pop() ?? createEngine();
  engine.restart();
  let taken = 0;
  let ended = false;
  return {
    /** What comes out of these bytes, in pieces that are valid until the next is asked for. Throws FormatError where they are no deflate stream. */
    *push(packed: Uint8Array): Iterable<Uint8Array> {
      for (let at = 0; !ended; ) {
        const step = engine.step(packed.subarray(at), constants.Z_NO_FLUSH);
        if (step.fault !== null) throw new FormatError('zip.inflate', `cannot be unpacked further, after ${taken} bytes: ${step.fault}`);
        at += step.taken;
        taken += step.taken;
        if (step.produced > 0) yield engine.output.subarray(0, step.produced);
        if (step.produced === outputSize) continue; // there may be more in it
        ended = at < packed.length;
        return;
      }
    },
    /** Bytes of the stream taken so far. */
    taken: (): number => taken,
    /** True once the stream has come to its end before all that was pushed was taken. */
    ended: (): boolean => ended,
    /** True when the stream has come to its end: to be asked after the last push. */
    complete: (): boolean => ended || engine.step(nothing, constants.Z_FINISH).fault === null,
    /** Gives the engine back. */
    close: (): void => void free.push(engine),
  };
}
