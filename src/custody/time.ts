/** Times of the record: UTC with milliseconds, and the same moment as the clock on the wall showed it. */

/** RFC 3339, UTC. */
export const utcTime = (date: Date): string => date.toISOString();

/** RFC 9557: `2026-11-20T09:01:00.000+01:00[Europe/Paris]`. */
export function zonedTime(
  date: Date,
  offsetMinutes = -date.getTimezoneOffset(),
  zone = Intl.DateTimeFormat().resolvedOptions().timeZone,
): string {
  const local = new Date(date.getTime() + offsetMinutes * 60_000).toISOString().slice(0, -1);
  const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${two(hours)}:${two(minutes)}[${zone}]`;
}
