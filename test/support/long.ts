/** What the fast suite leaves to the long one (`CUSTODIA_LONG=1`, set in `.ci/run`): told by name when it begins. */

export const isLong = process.env.CUSTODIA_LONG === '1';

/** Each takes ten seconds and more, most of them waiting for processes, leases and outages. */
export const longFiles = [
  'test/cli/audit-verify.test.ts',
  'test/cli/service-evidence.test.ts',
  'test/cli/service-found.test.ts',
  'test/cli/service-ops.test.ts',
  'test/cli/service-people.test.ts',
  'test/cli/service-s3.test.ts',
  'test/http/events.test.ts',
  'test/http/intake.test.ts',
  'test/http/matrix.test.ts',
  'test/http/report.test.ts',
  'test/intake/s3.test.ts',
  'test/pipeline/choice.test.ts',
  'test/pipeline/control.test.ts',
  'test/pipeline/fleet.test.ts',
  'test/pipeline/outage.test.ts',
  'test/pipeline/races.test.ts',
  'test/pipeline/supervisors.test.ts',
];

/** Run once by vitest before all files. */
export default function tell(): void {
  if (!isLong) console.log(`skipped, as they take long (CUSTODIA_LONG=1 runs them):\n  ${longFiles.join('\n  ')}`);
}
