/** All that a report says, as data: report.json is its canonical form. */
import { type Static, Type } from 'typebox';

const Text = Type.String();
const Count = Type.Number();
const strict = { additionalProperties: false };
const Plain = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]));
const Digests = Type.Record(Type.String(), Type.String({ pattern: '^[0-9a-f]{16,128}$' }));
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });

const FileState = Type.Object({ name: Text, size: Count, mtimeNs: Text, ctimeNs: Text, inode: Text, device: Text }, strict);
const SegmentDigest = Type.Object({ name: Text, size: Count, sha256: Sha256 }, strict);

const Volume = Type.Object(
  {
    locator: Text,
    kind: Type.Union([Type.Literal('volume'), Type.Literal('table'), Type.Literal('gap')]),
    number: Type.Union([Count, Type.Null()]),
    offset: Count,
    length: Count,
    label: Text,
    type: Type.Optional(Text),
    name: Type.Optional(Text),
    guid: Type.Optional(Text),
    flags: Type.Optional(Type.Array(Text)),
    fileSystem: Type.Union([Type.Object({ name: Text, label: Text, facts: Plain }, strict), Type.Null()]),
    /** Why there was nothing to list. */
    reason: Type.Optional(Text),
    entries: Count,
    files: Count,
    deleted: Count,
    unallocatedBytes: Type.Union([Count, Type.Null()]),
  },
  strict,
);

const CustodyLine = Type.Object(
  { seq: Count, type: Text, occurredAt: Text, recordedAt: Text, actor: Text, role: Text, place: Text, what: Text },
  strict,
);

export const Findings = Type.Object(
  {
    report: Type.Object({ id: Text, version: Type.Literal(1), format: Type.Literal('custodia-report/1'), madeAt: Text }, strict),
    generator: Type.Object({ name: Text, version: Text, runtime: Text, platform: Text, host: Text }, strict),
    case: Text,
    exhibit: Text,
    examiner: Text,
    examination: Type.Object({ id: Text, startedAt: Text, concludedAt: Text, status: Text }, strict),
    received: Type.Object(
      { format: Text, label: Text, files: Type.Array(FileState), acquisition: Type.Record(Type.String(), Type.Unknown()) },
      strict,
    ),
    media: Type.Object(
      { size: Count, sectorSize: Count, digests: Digests, damagedBytes: Count, leafSize: Count, leaves: Count, leafRoot: Sha256 },
      strict,
    ),
    storedHashes: Type.Array(
      Type.Object(
        {
          algorithm: Text,
          value: Text,
          place: Text,
          computed: Type.Union([Text, Type.Null()]),
          equal: Type.Union([Type.Boolean(), Type.Null()]),
        },
        strict,
      ),
    ),
    integrity: Type.Object(
      {
        status: Type.Union([Type.Literal('intact'), Type.Literal('changed'), Type.Literal('unknown')]),
        changes: Type.Array(Text),
        atReceipt: Type.Union([Type.Array(SegmentDigest), Type.Null()]),
        atConclusion: Type.Array(SegmentDigest),
        steps: Type.Object({ total: Count, unchanged: Count }, strict),
      },
      strict,
    ),
    /** Out of the ledger: which tools did how many of the steps, and what became of them. */
    processing: Type.Object(
      {
        tools: Type.Array(
          Type.Object(
            {
              name: Text,
              version: Text,
              runtime: Text,
              dependencies: Text,
              host: Text,
              platform: Text,
              isolation: Text,
              steps: Count,
            },
            strict,
          ),
        ),
        steps: Type.Array(Type.Object({ kind: Text, done: Count, split: Count, quarantined: Count }, strict)),
      },
      strict,
    ),
    volumeSystem: Type.Object({ name: Text, label: Text, facts: Plain }, strict),
    volumes: Type.Array(Volume),
    coverage: Type.Object({ mediaSize: Count, accounted: Count, complete: Type.Boolean() }, strict),
    catalogue: Type.Object({ root: Sha256, entries: Count, sha256: Sha256 }, strict),
    counts: Type.Object(
      {
        entries: Count,
        files: Count,
        deleted: Count,
        bytes: Count,
        byType: Type.Record(Type.String(), Count),
        byMediaType: Type.Array(Type.Object({ mediaType: Text, count: Count }, strict)),
      },
      strict,
    ),
    notable: Type.Array(
      Type.Object(
        { why: Text, total: Count, entries: Type.Array(Type.Object({ locator: Text, path: Text, size: Count, note: Text }, strict)) },
        strict,
      ),
    ),
    problems: Type.Object(
      {
        total: Count,
        hidingEvidence: Count,
        sha256: Sha256,
        byCode: Type.Array(Type.Object({ code: Text, count: Count, hiding: Count, exampleLocator: Text, exampleMessage: Text }, strict)),
      },
      strict,
    ),
    notExamined: Type.Array(Type.Object({ what: Text, bytes: Type.Union([Count, Type.Null()]), reason: Text }, strict)),
    profile: Type.Unknown(),
    ledger: Type.Object(
      {
        events: Count,
        head: Sha256,
        gaps: Type.Array(Type.Object({ kind: Text, afterSeq: Count, message: Text }, strict)),
        table: Type.Array(CustodyLine),
        tableOmitted: Count,
      },
      strict,
    ),
    signer: Text,
    timeZones: Text,
    limits: Type.Array(Text),
  },
  strict,
);

export type ReportFindings = Static<typeof Findings>;

/** Files of a report folder, the manifest apart. */
export const reportFiles = [
  'report.json',
  'report.html',
  'entries.csv',
  'entries.jsonl',
  'problems.jsonl',
  'ledger.jsonl',
  'leaves.json',
  'signer.pub',
] as const;
export const manifestFile = 'manifest.dsse.json';
export const manifestType = 'urn:custodia:report-manifest:v1';

/** What the signed manifest quotes of the report. */
export const quotedFacts = ({ report, examination, ledger, catalogue, ...findings }: ReportFindings) => ({
  report: report.id,
  format: report.format,
  madeAt: report.madeAt,
  case: findings.case,
  exhibit: findings.exhibit,
  examination: examination.id,
  ledger: { events: ledger.events, head: ledger.head },
  catalogueRoot: catalogue.root,
});

/** leaves.json: SHA-256 of every `leafSize` bytes of the medium, in order, as lower-case hex. */
export const LeavesForm = Type.Object({ leafSize: Count, mediaSize: Count, leaves: Type.Array(Sha256) }, strict);
export type Leaves = Static<typeof LeavesForm>;

export const timeZones = 'All times of this report are UTC. Each event of the ledger also holds the local time, its offset and its zone.';

/** What this version cannot do, and every report says. */
export const standingLimits: readonly string[] = [
  'Unallocated space is measured and covered by the digests; files are not carved out of it.',
  'Encrypted volumes and files are recognised where they show themselves, and not opened.',
  'File systems other than FAT12/16/32 and ext2/3/4 are named where recognised, and not listed.',
  'Hostile content is read on threads of the working process, without a sandbox of the operating system.',
  'Times are given as the evidence holds them; those of FAT, EXIF and ZIP carry no zone and are not converted.',
  'The examiner’s name is as stated on submission; the signature is that of the installation.',
];
