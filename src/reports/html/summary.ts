/** The head of report.html: whose evidence it is, and the box that says in plain words what came of it. */
import { type ReportFindings } from '../findings.ts';
import { type Fragment, type Html, html } from '../html-tag.ts';
import { algorithmName, bytes, counted, facts, name, sizeInWords, utcInWords, whole } from './pieces.ts';

export const title = ({
  case: reference,
  exhibit,
  examiner,
  examination,
  report,
}: ReportFindings): Html => html`<h1>Chain-of-custody report</h1>
${facts([
  ['Case', name(reference)],
  ['Exhibit', name(exhibit)],
  ['Examiner', name(examiner)],
  ['Examined', `${utcInWords(examination.startedAt)} to ${utcInWords(examination.concludedAt)}`],
  ['Report made', utcInWords(report.madeAt)],
])}`;

export function summary(findings: ReportFindings): Html {
  const { integrity, storedHashes, problems, coverage } = findings;
  const bad = integrity.status === 'changed' || storedHashes.some(({ equal }) => equal === false);
  const doubt = integrity.status === 'unknown' || problems.hidingEvidence > 0 || !coverage.complete;
  const rows: readonly (readonly [string, Fragment])[] = [
    ['Received', received(findings)],
    ['Done', done(findings)],
    ['Unchanged', unchanged(findings)],
    ['Digests', digestsAgree(findings)],
    ['Found', found(findings)],
    ['Reservations', reservations(findings)],
  ];
  return html`<div class="box ${bad ? 'bad' : doubt ? 'warn' : 'good'}"><strong>${bad ? 'Contradictions were found' : doubt ? 'Complete, with reservations' : 'Complete'}</strong>
${facts(rows)}</div>`;
}

function received({ received: { files, label }, examination, media }: ReportFindings): Html {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const named = files.length === 1 ? name(files[0]!.name) : html`${name(files[0]?.name ?? '')} and ${whole(files.length - 1)} more`;
  return html`${counted(files.length, 'file')} (${named}, ${bytes(size)}) on ${utcInWords(examination.startedAt)}: ${label}, with a medium of ${sizeInWords(media.size)}.`;
}

function done({ processing, volumes, counts, media, integrity }: ReportFindings): Html {
  const versions = [...new Set(processing.tools.map((tool) => `${tool.name} ${tool.version} (${tool.runtime})`))];
  const all = volumes.filter(({ kind }) => kind === 'volume').length;
  const listed = volumes.filter(({ fileSystem }) => fileSystem !== null).length;
  const digests = Object.keys(media.digests).map(algorithmName);
  const hashed = digests.length === 0 ? 'could not digest its medium' : `computed ${inWords(digests)} of the medium`;
  return html`${inWords(versions)} only read the image, ${hashed}, listed the files of ${whole(listed)} of ${counted(all, 'volume')} and read ${counted(counts.files, 'file')}: ${counted(integrity.steps.total, 'step')}, each signed.`;
}

const inWords = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;

const unchanged = ({ integrity: { status } }: ReportFindings): Html =>
  status === 'intact'
    ? html`<span class="yes">Yes.</span> Every file of the image has the same SHA-256 and the same state at the end as when it was received.`
    : status === 'changed'
      ? html`<span class="no">NO: THE EVIDENCE CHANGED</span> while it was examined. See “Integrity”.`
      : html`Could not be settled. See “Integrity”.`;

function digestsAgree({ storedHashes }: ReportFindings): Html {
  const compared = storedHashes.filter(({ equal }) => equal !== null);
  const differing = compared.filter(({ equal }) => equal === false);
  const algorithms = (of: typeof compared) => inWords([...new Set(of.map(({ algorithm }) => algorithmName(algorithm)))]);
  if (differing.length > 0)
    return html`<span class="no">DIFFER:</span> the ${algorithms(differing)} that the image’s maker stored in it is not that computed now.`;
  if (compared.length > 0)
    return html`<span class="yes">Agree:</span> the ${algorithms(compared)} that the image’s maker stored in it equal those computed now.`;
  return storedHashes.length === 0
    ? html`The image holds none of its maker to compare with.`
    : html`Those that the image’s maker stored in it could not be compared.`;
}

const found = ({ counts }: ReportFindings): string =>
  `${counted(counts.entries, 'entry', 'entries')}, ${whole(counts.files)} of them files; ${whole(counts.deleted)} of all entries are deleted.`;

function reservations({ problems, coverage, media }: ReportFindings): Html {
  const told = [
    problems.hidingEvidence > 0
      ? `${counted(problems.hidingEvidence, 'problem')} may hide evidence: see “What was not examined, and why” and “Problems”.`
      : null,
    media.damagedBytes > 0 ? `${bytes(media.damagedBytes)} of the medium could not be read.` : null,
    coverage.complete ? null : 'Not every byte of the medium is accounted for: see “The medium”.',
  ].filter((sentence) => sentence !== null);
  return html`${told.length === 0 ? 'None: nothing that was found was left unexamined for damage or limits.' : told.join(' ')}`;
}
