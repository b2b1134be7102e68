/** How the parts of this reader tell of faults without knowing of which entry they are. */

export type Tell = (code: string, message: string, at?: number) => void;

/** A fault that fills a whole structure is told of some times, then once more for all the rest. Counts each code for itself. */
export function tellSome(tell: Tell, most = 16): Tell {
  const counts = new Map<string, number>();
  return (code, message, at) => {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    if (count < most) tell(code, message, at);
    else if (count === most) tell(code, `${message}; further faults of this kind are not told of one by one`, at);
  };
}
