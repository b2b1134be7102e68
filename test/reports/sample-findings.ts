/** Findings of a report, complete in form, with hostile or harmless text wherever text of others may stand. */
import Value from 'typebox/value';
import { Findings, type ReportFindings } from '../../src/reports/findings.ts';

const digest = 'ab'.repeat(32);

export function sampleFindings(text: string, changes: Partial<ReportFindings> = {}): ReportFindings {
  const findings: ReportFindings = {
    report: { id: '00000000-0000-4000-8000-000000000001', version: 1, format: 'custodia-report/1', madeAt: '2026-11-24T13:00:00.000Z' },
    generator: { name: 'custodia', version: '0.1.0', runtime: 'Node 24.21.0', platform: 'linux x64', host: text },
    case: text,
    exhibit: text,
    examiner: text,
    examination: { id: 'e', startedAt: '2026-11-24T12:00:00.000Z', concludedAt: '2026-11-24T12:30:00.500Z', status: 'complete' },
    received: {
      format: 'raw',
      label: 'Raw image',
      files: [{ name: text, size: 1474560, mtimeNs: '1795526781130855699', ctimeNs: '-1', inode: '7', device: '1' }],
      acquisition: { examiner: text, errorSectors: [{ firstSector: 5, sectorCount: 2 }], caseNumber: 'C 1', [`key ${text}`]: text },
    },
    media: {
      size: 1474560,
      sectorSize: 512,
      digests: { md5: 'cd'.repeat(16) },
      damagedBytes: 0,
      leafSize: 67108864,
      leaves: 1,
      leafRoot: digest,
    },
    storedHashes: [{ algorithm: 'md5', value: 'cd'.repeat(16), place: 'hash section', computed: 'cd'.repeat(16), equal: true }],
    integrity: {
      status: 'intact',
      changes: [],
      atReceipt: [{ name: text, size: 1474560, sha256: digest }],
      atConclusion: [{ name: text, size: 1474560, sha256: digest }],
      steps: { total: 5, unchanged: 5 },
    },
    processing: {
      tools: [
        {
          ...{ name: 'custodia', version: '0.1.0', runtime: 'node 24.21.0', dependencies: 'package-lock.json sha256:1' },
          ...{ host: text, platform: 'linux x64', isolation: 'threads', steps: 5 },
        },
      ],
      steps: [{ kind: 'survey', done: 1, split: 0, quarantined: 0 }],
    },
    volumeSystem: { name: 'mbr', label: 'DOS partition table (MBR)', facts: {} },
    volumes: [
      {
        ...{ locator: 'image:/mbr:1', kind: 'volume', number: 1, offset: 0, length: 1474560, label: text, name: text },
        ...{ fileSystem: { name: 'fat', label: 'FAT', facts: { type: 'FAT12', label: text } } },
        ...{ entries: 1, files: 1, deleted: 0, unallocatedBytes: 0 },
      },
    ] as ReportFindings['volumes'],
    coverage: { mediaSize: 1474560, accounted: 1474560, complete: true },
    catalogue: { root: digest, entries: 1, sha256: digest },
    counts: { entries: 1, files: 1, deleted: 0, bytes: 3, byType: { file: 1 }, byMediaType: [{ mediaType: 'text/plain', count: 1 }] },
    notable: [{ why: 'Names that deceive', total: 1, entries: [{ locator: `image:/mbr:1/fat:${text}`, path: text, size: 3, note: text }] }],
    problems: {
      ...{ total: 1, hidingEvidence: 0, sha256: digest },
      byCode: [{ code: 'name.deceptive', count: 1, hiding: 0, exampleLocator: text, exampleMessage: text }],
    },
    notExamined: [{ what: text, bytes: 5, reason: text }],
    profile: { note: text },
    ledger: {
      ...{ events: 1, head: digest, tableOmitted: 0 },
      gaps: [{ kind: 'clock', afterSeq: 0, message: text }],
      table: [
        {
          ...{ seq: 0, type: 'received', occurredAt: '2026-11-24T12:00:00.000+00:00[UTC]', recordedAt: '2026-11-24T12:00:00.000Z' },
          ...{ actor: text, role: 'examiner', place: text, what: text },
        },
      ],
    },
    signer: `sha256:${digest}`,
    timeZones: 'UTC',
    limits: ['none'],
    ...changes,
  };
  if (!Value.Check(Findings, findings)) throw new Error(JSON.stringify([...Value.Errors(Findings, findings)].slice(0, 3)));
  return findings;
}
