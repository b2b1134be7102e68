/** Times as the evidence has them: exact, with their resolution, and never moved to another zone. */

/**
 * Nanoseconds since 1970-01-01T00:00:00 on the clock that wrote them. `zone` says what is known of that clock: `utc`;
 * `offset` (`offsetMinutes` east of UTC, already subtracted: `ns` is UTC); `local-unknown` (FAT, EXIF: `ns` counts wall-clock time).
 */
export interface ExactTime {
  readonly ns: bigint;
  /** What the format could have said: 2_000_000_000 for FAT's write time, 1 for ext4 with extra bits. */
  readonly resolutionNs: number;
  readonly zone: 'utc' | 'offset' | 'local-unknown';
  readonly offsetMinutes?: number;
}

const perSecond = 1_000_000_000n;

/** RFC 3339 with the digits that the resolution allows; no `Z` where the zone is unknown. Years past 9999 get a sign (ISO 8601 expanded). */
export function formatExactTime(time: ExactTime): string {
  let seconds = time.ns / perSecond;
  let rest = time.ns % perSecond;
  if (rest < 0n) {
    rest += perSecond;
    seconds -= 1n;
  }
  const date = new Date(Number(seconds) * 1000);
  const whole = Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().slice(0, -5);
  const digits = time.resolutionNs >= 1_000_000_000 ? 0 : Math.min(9, 10 - String(time.resolutionNs).length);
  const fraction = digits === 0 ? '' : `.${String(rest).padStart(9, '0').slice(0, digits)}`;
  return `${whole}${fraction}${time.zone === 'local-unknown' ? '' : 'Z'}`;
}
