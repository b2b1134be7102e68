/** Unpacks zlib streams into a buffer of the caller's, one after the other, and says what was wrong with each. */
import { constants, createInflate, deflateSync, inflateRawSync, inflateSync } from 'node:zlib';

export interface Unpacked {
  /** Bytes written to the target. */
  readonly size: number;
  /** Bytes of the input that the stream took; without meaning after a fault. */
  readonly taken: number;
  /** `checksum`: all is there, only the Adler-32 at the end differs. `longer`: more than the target holds. Else the words of zlib. */
  readonly fault: string | null;
}

/** Never throws for what the input holds. The target is only of use without a fault, or with `checksum` and `longer`. */
export type Inflate = (packed: Uint8Array, target: Uint8Array) => Unpacked;

/** The part of Node's own zlib object that is used: not documented, so every use stands behind `directInflate`'s trial. */
interface Engine {
  reset(): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputSize: number,
    output: Uint8Array,
    outputAt: number,
    outputSize: number,
  ): void;
  onerror: (message: string, number: number, code: string) => void;
}

/**
 * One long-lived zlib object, driven synchronously: 760 to 800 MB/s for chunks of 32 KiB where `inflateSync`, which makes an object for
 * each, gives 360 to 650. Null where this Node does not have the object as expected.
 */
export function directInflate(): Inflate | null {
  const stream = createInflate() as unknown as { _handle?: Partial<Engine>; _writeState?: unknown };
  const { _handle: engine, _writeState: left } = stream;
  if (typeof engine?.reset !== 'function' || typeof engine.writeSync !== 'function' || !(left instanceof Uint32Array)) return null;
  const inflate = driveEngine(engine as Engine, left);
  return passesTrial(inflate) ? inflate : null;
}

/** The object leaves its counts as they were when a stream is faulty: such a stream is looked at again by documented calls. */
function driveEngine(engine: Engine, left: Uint32Array): Inflate {
  let failed = false;
  engine.onerror = () => {
    failed = true;
  };
  const step = (input: Uint8Array, output: Uint8Array): boolean => {
    failed = false;
    engine.writeSync(constants.Z_FINISH, input, 0, input.length, output, 0, output.length);
    return !failed;
  };
  const one = new Uint8Array(1);
  return (packed, target) => {
    engine.reset(); // also clears what a damaged stream before this one left behind
    if (!step(packed, target)) return plainInflate(packed, target);
    const size = target.length - left[0]!;
    const rest = packed.subarray(packed.length - left[1]!);
    if (size < target.length) return { size, taken: packed.length - rest.length, fault: null };
    if (!step(rest, one)) return plainInflate(packed, target); // the target is full: only one step more tells whether the stream ends here
    return { size, taken: packed.length - left[1]!, fault: left[0] === 0 ? 'longer' : null };
  };
}

const isChecksum = (message: string): boolean => message === 'incorrect data check';

/** A sound stream, a damaged one, and a sound one again must give what is known of them. */
function passesTrial(inflate: Inflate): boolean {
  const content = Uint8Array.from({ length: 4096 }, (_, index) => (index * index) >>> 5);
  const packed = deflateSync(content);
  const damaged = Uint8Array.from(packed);
  damaged[packed.length - 1]! ^= 1;
  const target = new Uint8Array(content.length);
  for (const [input, fault] of [
    [packed, null],
    [damaged, 'checksum'],
    [packed, null],
  ] as const) {
    target.fill(0);
    const unpacked = inflate(input, target);
    if (unpacked.fault !== fault || unpacked.size !== content.length || !Buffer.from(content).equals(target)) return false;
    if (fault === null && unpacked.taken !== packed.length) return false;
  }
  return true;
}

/** The same by documented calls only. */
export const plainInflate: Inflate = (packed, target) => {
  const options = { info: true, chunkSize: target.length + 64, maxOutputLength: target.length + 65_536 };
  const take = (unpack: typeof inflateSync, input: Uint8Array) => {
    const { buffer, engine } = unpack(input, options) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    target.set(buffer.subarray(0, target.length));
    const size = Math.min(buffer.length, target.length);
    return { size, taken: engine.bytesWritten, fault: buffer.length > target.length ? 'longer' : null };
  };
  try {
    return take(inflateSync, packed);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') return { size: 0, taken: 0, fault: 'longer' };
    if (!isChecksum(message)) return { size: 0, taken: 0, fault: message };
    return { ...take(inflateRawSync, packed.subarray(2)), fault: 'checksum' };
  }
};

/** Holds buffers: one for each reader. */
export const createInflater = (): Inflate => directInflate() ?? plainInflate;
