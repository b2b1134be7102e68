/** Progress on a terminal: bars for bytes and files that are drawn over; plain lines elsewhere; JSON lines with `--json`. */
import { formatBytes, formatCount, formatDuration, jsonLine, visible } from './terminal.ts';

export interface ProgressState {
  readonly stage: string;
  /** Bytes of the evidence digested so far, and in all (null: not known yet). */
  readonly hashed: number;
  readonly hashTotal: number | null;
  readonly files: number;
  readonly filesTotal: number | null;
  /** Bytes of the files' content examined so far. */
  readonly fileBytes: number;
}

export interface ProgressView {
  show(state: ProgressState): void;
  /** A line that stays. */
  note(text: string): void;
  done(): void;
}

type Out = { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };

/** `now` in milliseconds. */
export function openProgress(out: Out, form: 'bars' | 'lines' | 'json', now: () => number): ProgressView {
  if (form === 'json') return jsonView(out);
  return form === 'bars' ? barView(out, now) : lineView(out, now);
}

function jsonView(out: Out): ProgressView {
  let last = '';
  return {
    show(state) {
      const line = jsonLine({ event: 'progress', ...state });
      if (line !== last) out.write(line);
      last = line;
    },
    note: (text) => void out.write(jsonLine({ event: 'note', text })),
    done: () => undefined,
  };
}

const lineEveryMs = 5000;

function lineView(out: Out, now: () => number): ProgressView {
  let shownAt = Number.NEGATIVE_INFINITY;
  let stage = '';
  const rate = rateOf(now);
  return {
    show(state) {
      const text = describe(state, rate(state));
      if (state.stage === stage && now() - shownAt < lineEveryMs) return;
      shownAt = now();
      stage = state.stage;
      out.write(`${text}\n`);
    },
    note: (text) => void out.write(`${visible(text)}\n`),
    done: () => undefined,
  };
}

function barView(out: Out, now: () => number): ProgressView {
  let drawn = 0;
  const rate = rateOf(now);
  const clear = () => {
    if (drawn > 0) out.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  return {
    show(state) {
      clear();
      const width = Math.max(20, Math.min(40, (out.columns ?? 80) - 60));
      const bytesPerSecond = rate(state);
      const lines = [
        `  ${state.stage}`,
        `  image  ${bar(state.hashed, state.hashTotal, width)} ${formatBytes(state.hashed)} of ${state.hashTotal === null ? '?' : formatBytes(state.hashTotal)}  ${formatBytes(bytesPerSecond)}/s`,
        `  files  ${bar(state.files, state.filesTotal, width)} ${formatCount(state.files)} of ${state.filesTotal === null ? '?' : formatCount(state.filesTotal)}  ${remaining(state, bytesPerSecond)}`,
      ].map((line) => line.slice(0, (out.columns ?? 80) - 1));
      out.write(`${lines.join('\n')}\n`);
      drawn = lines.length;
    },
    note(text) {
      clear();
      out.write(`${visible(text)}\n`);
    },
    done: clear,
  };
}

function bar(value: number, total: number | null, width: number): string {
  const part = total === null ? 0 : total === 0 ? 1 : Math.min(1, value / total);
  const full = Math.round(part * width);
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${String(Math.floor(part * 100)).padStart(3)} %`;
}

const describe = (state: ProgressState, bytesPerSecond: number): string =>
  `${state.stage}: image ${formatBytes(state.hashed)} of ${state.hashTotal === null ? '?' : formatBytes(state.hashTotal)}, ` +
  `files ${formatCount(state.files)} of ${state.filesTotal === null ? '?' : formatCount(state.filesTotal)}, ` +
  `${formatBytes(bytesPerSecond)}/s, ${remaining(state, bytesPerSecond)}`;

/** What is left of the image at the present rate; files are counted in, as they are read at the same rate or faster. */
function remaining({ hashed, hashTotal }: ProgressState, bytesPerSecond: number): string {
  if (hashTotal === null || bytesPerSecond <= 0) return 'time left: ?';
  if (hashed >= hashTotal) return 'image done';
  return `about ${formatDuration((hashTotal - hashed) / bytesPerSecond)} left`;
}

/** Bytes a second over the last ten seconds, of image and files together. */
function rateOf(now: () => number): (state: ProgressState) => number {
  const seen: { at: number; bytes: number }[] = [];
  return ({ hashed, fileBytes }) => {
    const at = now();
    seen.push({ at, bytes: hashed + fileBytes });
    while (seen.length > 2 && at - seen[0]!.at > 10_000) seen.shift();
    const first = seen[0]!;
    return at - first.at < 200 ? 0 : Math.max(0, ((hashed + fileBytes - first.bytes) * 1000) / (at - first.at));
  };
}
