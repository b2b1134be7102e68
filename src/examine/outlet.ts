/** The way out of a thread: rows gathered into batches, handed over, with a pause while the other side is behind. */
import { type MessagePort } from 'node:worker_threads';
import { type Batch, type LocatedProblem } from '../evidence/task.ts';
import { copyValue, RowBuffer } from './copy-form.ts';

const batchBytes = 1024 * 1024;
/** Batches that may be under way unanswered. */
const window = 4;

/** What goes out through a port. `flush` resolves when the other side has room again: await it wherever work can pause. */
export class Outlet {
  readonly #port: MessagePort;
  readonly #rowPrefix: string;
  readonly #entries = new RowBuffer();
  readonly #problems = new RowBuffer();
  #unanswered = 0;
  #wake: (() => void) | null = null;
  #bytes = 0;
  #files = 0;
  #toldAt = 0;

  constructor(port: MessagePort, rowPrefix = '') {
    this.#port = port;
    this.#rowPrefix = rowPrefix;
    port.on('message', () => {
      this.#unanswered--;
      this.#wake?.();
    });
  }

  addEntry(columns: string): void {
    this.#entries.add(this.#rowPrefix + columns);
  }

  addProblem(problem: LocatedProblem): void {
    const columns = [problem.locator, problem.code, problem.message, problem.at ?? null, problem.hidesEvidence].map(copyValue);
    this.#problems.add(this.#rowPrefix + columns.join('\t'));
  }

  /** Counts work done; tells the other side about ten times a second. Works in the middle of synchronous work. Counting nothing is a sign of life. */
  progress(bytes: number, files: number): void {
    this.#bytes += bytes;
    this.#files += files;
    const now = performance.now();
    if (now - this.#toldAt < 100) return;
    this.#toldAt = now;
    this.#tellProgress();
  }

  /** Hands over what is large enough (or everything) and waits while too much is unanswered. */
  async flush(everything = false): Promise<void> {
    if (this.#entries.count > 0 && (everything || this.#entries.size > batchBytes)) this.#sendRows('entry', this.#entries);
    if (this.#problems.count > 0 && (everything || this.#problems.size > batchBytes)) this.#sendRows('problem', this.#problems);
    await this.#room();
    if (everything && this.#bytes + this.#files > 0) this.#tellProgress();
  }

  async send(batch: Batch, transfer: Uint8Array): Promise<void> {
    this.#post(batch, transfer);
    await this.#room();
  }

  #sendRows(table: 'entry' | 'problem', buffer: RowBuffer): void {
    const { rows, count } = buffer.takeAll();
    this.#post({ kind: 'rows', table, rows, count }, rows);
  }

  #post(batch: Batch, transfer: Uint8Array): void {
    this.#unanswered++;
    this.#port.postMessage(batch, [transfer.buffer as ArrayBuffer]);
  }

  #tellProgress(): void {
    this.#port.postMessage({ kind: 'progress', bytes: this.#bytes, files: this.#files } satisfies Batch);
    this.#bytes = 0;
    this.#files = 0;
  }

  async #room(): Promise<void> {
    while (this.#unanswered >= window) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
  }
}
