/** The sections of report.html about the image: what was received, whether it is intact, how its medium is laid out. */
import { type ReportFindings } from '../findings.ts';
import { type Fragment, type Html, html } from '../html-tag.ts';
import { layoutPicture } from './layout.ts';
import { agreement, algorithmName, bytes, counted, facts, isoTime, name, quoted, table, whole } from './pieces.ts';

/** In the order in which a reader asks; what has no label here is shown under its own name. */
const acquisitionLabels: Readonly<Record<string, string>> = {
  caseNumber: 'Case number',
  evidenceNumber: 'Evidence number',
  description: 'Description',
  examiner: 'Examiner',
  notes: 'Notes',
  acquired: 'Acquired',
  systemDate: 'Date of the system',
  tool: 'Tool',
  toolVersion: 'Version of the tool',
  operatingSystem: 'Operating system',
  mediaType: 'Kind of medium',
  model: 'Model',
  serialNumber: 'Serial number',
  compression: 'Compression',
  segmentFileVersion: 'Version of the segment files',
  setIdentifier: 'Identifier of the set',
  errorSectors: 'Sectors that it could not read',
};

const shownErrorSectors = 50;

function acquisitionValue(key: string, value: unknown): Fragment {
  if (typeof value === 'string') return name(value);
  if (key !== 'errorSectors' || !Array.isArray(value)) return JSON.stringify(value);
  const runs = value.slice(0, shownErrorSectors).map((run: unknown) => {
    const { firstSector, sectorCount } = Object(run) as Record<string, unknown>;
    return `${String(sectorCount)} from sector ${String(firstSector)}`;
  });
  return `${runs.join(' · ')}${value.length > shownErrorSectors ? ` and ${whole(value.length - shownErrorSectors)} more ranges` : ''}`;
}

function acquisitionRows(acquisition: Readonly<Record<string, unknown>>): (readonly [string, Fragment])[] {
  const known = Object.keys(acquisitionLabels).filter((key) => Object.hasOwn(acquisition, key));
  const others = Object.keys(acquisition).filter((key) => !Object.hasOwn(acquisitionLabels, key));
  return [...known, ...others].map((key) => [acquisitionLabels[key] ?? key, acquisitionValue(key, acquisition[key])]);
}

export function receivedSection({ received }: ReportFindings): Html {
  const rows = acquisitionRows(received.acquisition);
  return html`<h2>What was received</h2>
${table(
  ['File', 'Size#', 'Modified (UTC)', 'State changed (UTC)', 'Inode#'],
  received.files.map((file) => [
    name(file.name),
    whole(file.size),
    html`<span class="mono">${isoTime(file.mtimeNs)}</span>`,
    html`<span class="mono">${isoTime(file.ctimeNs)}</span>`,
    file.inode,
  ]),
)}
${
  rows.length === 0
    ? html`<p>The image holds nothing that its maker wrote down about the acquisition.</p>`
    : html`<h3>What the tool that made the image wrote down</h3>
<p>Quoted as it stands in the image; not verified here.</p>
${facts(rows)}`
}`;
}

export const integritySection = (findings: ReportFindings): Html => html`<h2>Integrity</h2>
<h3>Digests of the medium</h3>
<p>Over all bytes of the disk inside the image, whatever container holds them.</p>
${table(
  ['Algorithm|', 'Digest'],
  Object.entries(findings.media.digests).map(([algorithm, value]) => [algorithmName(algorithm), html`<code>${value}</code>`]),
)}
<h3>Digests that the image itself holds, against those</h3>
${table(
  ['Algorithm|', 'Where it stands', 'Stored', 'Verdict|'],
  findings.storedHashes.map(({ algorithm, place, value, equal }) => [
    algorithmName(algorithm),
    place,
    html`<code>${value}</code>`,
    agreement(equal),
  ]),
)}
<h3>Files of the image, at receipt and at the end</h3>
<p>SHA-256 of each file as it is: H1 when it was received, H5 at the end, before this report.</p>
${filesTable(findings)}
${stateOfFiles(findings)}`;

function filesTable({ integrity }: ReportFindings): Html {
  return table(
    ['File', 'SHA-256', 'Verdict|'],
    integrity.atConclusion.map(({ name: file, sha256 }, index) => {
      const before = integrity.atReceipt?.[index]?.sha256 ?? null;
      const both = html`H1 <code>${before ?? 'not computed'}</code><br>H5 <code>${sha256}</code>`;
      return [name(file), both, agreement(before === null ? null : before === sha256)];
    }),
  );
}

const stateOfFiles = ({
  integrity,
  media,
}: ReportFindings): Html => html`<p>Size, times and inode of each file were looked at before (H3) and after (H4) each of ${counted(integrity.steps.total, 'step')}; unchanged in ${whole(integrity.steps.unchanged)}. ${counted(media.leaves, 'digest')} of ${bytes(media.leafSize)} each (leaves.json) tell the place of a later change. ${media.damagedBytes > 0 ? `${bytes(media.damagedBytes)} of the medium could not be read and count as zeros.` : null}</p>
${
  integrity.changes.length === 0
    ? null
    : html`<p class="no">Changes:</p>${table(
        ['What changed'],
        integrity.changes.map((change) => [name(change)]),
      )}`
}`;

export const mediumSection = (findings: ReportFindings): Html => html`<h2>The medium</h2>
<p>${findings.volumeSystem.label}. ${whole(findings.coverage.accounted)} of ${bytes(findings.coverage.mediaSize)} accounted for${findings.coverage.complete ? '.' : ': NOT COMPLETE.'}</p>
${layoutPicture(findings)}
${table(
  ['Place', 'What', 'Offset#', 'Length#', 'Content', 'Entries#', 'Deleted#'],
  findings.volumes.map((volume) => [
    html`<code>${volume.locator}</code>`,
    html`${name(volume.label)}${volume.name === undefined || volume.name === '' ? null : html` ${quoted(volume.name)}`}${volume.flags === undefined || volume.flags.length === 0 ? null : ` (${volume.flags.join(', ')})`}`,
    whole(volume.offset),
    whole(volume.length),
    contentOf(volume),
    volume.fileSystem === null ? '' : whole(volume.entries),
    volume.fileSystem === null ? '' : whole(volume.deleted),
  ]),
)}`;

function contentOf({ fileSystem, reason }: ReportFindings['volumes'][number]): Fragment {
  if (fileSystem === null) return reason ?? '';
  const label = String(fileSystem.facts.label ?? '');
  return html`${String(fileSystem.facts.type ?? fileSystem.label)}${label === '' ? null : html` ${quoted(label)}`}`;
}
