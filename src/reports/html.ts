/** report.html: made from report.json alone, byte for byte the same each time; no script, nothing fetched. */
import { createHash } from 'node:crypto';
import { type ReportFindings } from './findings.ts';
import { layoutPicture } from './html/layout.ts';
import { style } from './html/style.ts';
import { type Fragment, type Html, Html as HtmlText, html } from './html-tag.ts';

export function renderHtml(findings: ReportFindings, reportDigest: string): string {
  const styleHash = createHash('sha256').update(style).digest('base64');
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${new HtmlText(styleHash)}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chain of custody: ${findings.case} / ${findings.exhibit}</title>
<style>${new HtmlText(style)}</style>
</head>
<body>
${sections.map((section) => section(findings, reportDigest))}
<footer>Report ${findings.report.id}, made ${findings.report.madeAt} by ${findings.generator.name} ${findings.generator.version}. SHA-256 of report.json: <code>${reportDigest}</code>. End of report.</footer>
</body>
</html>
`;
  return page.text;
}

type Section = (findings: ReportFindings, reportDigest: string) => Html;

const bytes = (count: number): string => `${count.toLocaleString('en-US')} bytes`;
const whole = (count: number): string => count.toLocaleString('en-US');
const name = (text: string): Html => html`<bdi>${text}</bdi>`;
const facts = (rows: readonly (readonly [string, Fragment])[]): Html =>
  html`<dl class="facts">${rows.map(([term, value]) => html`<dt>${term}</dt><dd>${value}</dd>`)}</dl>`;

function table(heads: readonly string[], rows: readonly (readonly Fragment[])[]): Html {
  if (rows.length === 0) return html`<p>None.</p>`;
  const isNumber = (head: string) => head.endsWith('#');
  const cell = (head: string, value: Fragment) => (isNumber(head) ? html`<td class="n">${value}</td>` : html`<td>${value}</td>`);
  return html`<table><thead><tr>${heads.map((head) => (isNumber(head) ? html`<th class="n">${head.slice(0, -1)}</th>` : html`<th>${head}</th>`))}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((value, index) => cell(heads[index]!, value))}</tr>\n`)}</tbody></table>`;
}

const agreement = (equal: boolean | null): Html =>
  equal === null ? html`not compared` : equal ? html`<span class="yes">agree</span>` : html`<span class="no">DIFFER</span>`;

const title: Section = ({ case: reference, exhibit, examiner, examination, received, media }) => html`<h1>Chain-of-custody report</h1>
${facts([
  ['Case', name(reference)],
  ['Exhibit', name(exhibit)],
  ['Examiner', name(examiner)],
  [
    'Received',
    `${received.label}, ${received.files.length} ${received.files.length === 1 ? 'file' : 'files'}, medium of ${bytes(media.size)}`,
  ],
  ['Examined', `${examination.startedAt} to ${examination.concludedAt} (UTC)`],
])}`;

const summary: Section = (findings) => {
  const { integrity, storedHashes, problems, coverage } = findings;
  const stored = storedHashes.filter(({ equal }) => equal !== null);
  const mismatch = stored.some(({ equal }) => equal === false);
  const bad = integrity.status === 'changed' || mismatch;
  const doubt = integrity.status === 'unknown' || problems.hidingEvidence > 0 || !coverage.complete;
  const sentences = [
    integrity.status === 'intact'
      ? 'The evidence was not changed: every file of the image has the same digest and state at the end as when it was received.'
      : integrity.status === 'changed'
        ? 'THE EVIDENCE CHANGED while it was examined. See “Integrity”.'
        : 'Whether the evidence changed could not be settled. See “Integrity”.',
    stored.length === 0
      ? 'The image holds no digest of its maker to compare with.'
      : mismatch
        ? 'The digests that the image’s maker stored DIFFER from those computed now.'
        : `The digests that the image’s maker stored agree with those computed now (${stored
            .map(({ algorithm }) => algorithm.toUpperCase())
            .filter((value, index, all) => all.indexOf(value) === index)
            .join(', ')}).`,
    `${whole(findings.counts.entries)} entries were found, ${whole(findings.counts.files)} of them files, ${whole(findings.counts.deleted)} of all deleted.`,
    problems.hidingEvidence > 0
      ? `${whole(problems.hidingEvidence)} problems may hide evidence. See “What was not examined” and “Problems”.`
      : 'Nothing that was found was left unexamined for damage or limits.',
  ];
  return html`<div class="box ${bad ? 'bad' : doubt ? 'warn' : 'good'}"><strong>${bad ? 'Contradictions were found' : doubt ? 'Complete, with reservations' : 'Complete'}</strong>
${sentences.map((sentence) => html`<p>${sentence}</p>`)}</div>`;
};

const receivedSection: Section = ({ received }) => html`<h2>What was received</h2>
${table(
  ['File', 'Size#', 'Modified (Unix ns)', 'Inode'],
  received.files.map((file) => [name(file.name), whole(file.size), html`<span class="mono">${file.mtimeNs}</span>`, file.inode]),
)}
<p>What the tool that made the image wrote down (not verified here):</p>
${facts(Object.entries(received.acquisition).map(([key, value]) => [key, typeof value === 'string' ? name(value) : JSON.stringify(value)] as const))}`;

const integritySection: Section = ({ integrity, media, storedHashes }) => html`<h2>Integrity</h2>
<p>Digests of the medium (all bytes of the disk inside the image):</p>
${table(
  ['Algorithm', 'Digest'],
  Object.entries(media.digests).map(([algorithm, value]) => [algorithm.toUpperCase(), html`<code>${value}</code>`]),
)}
<p>Digests that the image itself holds, against those:</p>
${table(
  ['Algorithm', 'Where it stands', 'Stored', 'Verdict'],
  storedHashes.map(({ algorithm, place, value, equal }) => [algorithm.toUpperCase(), place, html`<code>${value}</code>`, agreement(equal)]),
)}
<p>SHA-256 of each file of the image when it was received (H1) and at the end, before this report (H5):</p>
${table(
  ['File', 'H1 receipt', 'H5 end', 'Verdict'],
  integrity.atConclusion.map(({ name: file, sha256 }, index) => {
    const before = integrity.atReceipt?.[index]?.sha256 ?? null;
    return [
      name(file),
      html`<code>${before ?? 'not computed'}</code>`,
      html`<code>${sha256}</code>`,
      agreement(before === null ? null : before === sha256),
    ];
  }),
)}
<p>Size, times and inode of each file were looked at before (H3) and after (H4) each of ${whole(integrity.steps.total)} steps; unchanged in ${whole(integrity.steps.unchanged)}. ${whole(media.leaves)} digests of ${bytes(media.leafSize)} each (leaves.json) tell the place of a later change. ${media.damagedBytes > 0 ? `${bytes(media.damagedBytes)} of the medium could not be read and count as zeros.` : null}</p>
${
  integrity.changes.length === 0
    ? null
    : html`<p class="no">Changes:</p>${table(
        ['What changed'],
        integrity.changes.map((change) => [change]),
      )}`
}`;

const mediumSection: Section = (findings) => html`<h2>The medium</h2>
<p>${findings.volumeSystem.label}. ${whole(findings.coverage.accounted)} of ${bytes(findings.coverage.mediaSize)} accounted for${findings.coverage.complete ? '.' : ': NOT COMPLETE.'}</p>
${layoutPicture(findings)}
${table(
  ['Place', 'What', 'Offset#', 'Length#', 'Content', 'Entries#', 'Deleted#'],
  findings.volumes.map((volume) => [
    html`<code>${volume.locator}</code>`,
    html`${volume.label}${volume.name === undefined || volume.name === '' ? null : html` “${name(volume.name)}”`}${volume.flags === undefined ? null : ` (${volume.flags.join(', ')})`}`,
    whole(volume.offset),
    whole(volume.length),
    volume.fileSystem === null
      ? (volume.reason ?? '')
      : html`${String(volume.fileSystem.facts.type ?? volume.fileSystem.label)} ${name(String(volume.fileSystem.facts.label ?? ''))}`,
    volume.fileSystem === null ? '' : whole(volume.entries),
    volume.fileSystem === null ? '' : whole(volume.deleted),
  ]),
)}`;

const foundSection: Section = ({ counts, notable, catalogue }) => html`<h2>What was found</h2>
${facts([
  ['Entries', whole(counts.entries)],
  ['Files', `${whole(counts.files)}, ${bytes(counts.bytes)} of content read`],
  ['Deleted', whole(counts.deleted)],
  [
    'By kind',
    Object.entries(counts.byType)
      .map(([type, count]) => `${type} ${whole(count)}`)
      .join(' · '),
  ],
  ['Catalogue root', html`<code>${catalogue.root}</code>`],
])}
${table(
  ['Type by content', 'Files#'],
  counts.byMediaType.map(({ mediaType, count }) => [mediaType, whole(count)]),
)}
${notable.map(
  ({ why, total, entries }) =>
    html`<h2>${why} (${whole(total)})</h2>${table(
      ['Path', 'Size#', 'Note', 'Locator'],
      entries.map((entry) => [name(entry.path), whole(entry.size), name(entry.note), html`<code>${entry.locator}</code>`]),
    )}${total > entries.length ? html`<p>${whole(total - entries.length)} more are in entries.csv.</p>` : null}`,
)}`;

const missingSection: Section = ({ notExamined, problems, limits }) => html`<h2>What was not examined, and why</h2>
${table(
  ['What', 'Bytes#', 'Why'],
  notExamined.map(({ what, bytes: size, reason }) => [html`<code>${what}</code>`, size === null ? '' : whole(size), reason]),
)}
<h2>Problems</h2>
<p>${whole(problems.total)} in all, ${whole(problems.hidingEvidence)} of them may hide evidence. Each is in problems.jsonl with its place.</p>
${table(
  ['Code', 'Count#', 'May hide evidence#', 'Example'],
  problems.byCode.map((problem) => [
    html`<code>${problem.code}</code>`,
    whole(problem.count),
    whole(problem.hiding),
    html`${name(problem.exampleMessage)} <code>${problem.exampleLocator}</code>`,
  ]),
)}
<h2>Limits of this examination</h2>
<ul>${limits.map((limit) => html`<li>${limit}</li>`)}</ul>`;

const custodySection: Section = ({ ledger, timeZones }) => html`<h2>Custody</h2>
<p>${whole(ledger.events)} signed events, each naming the one before it. ${ledger.gaps.length === 0 ? 'No gap and no overlap was found.' : 'Gaps and contradictions:'}</p>
${
  ledger.gaps.length === 0
    ? null
    : table(
        ['Kind', 'After event#', 'What'],
        ledger.gaps.map((gap) => [gap.kind, whole(gap.afterSeq), gap.message]),
      )
}
${table(
  ['#', 'Event', 'When (UTC)', 'Who', 'Where', 'What'],
  ledger.table.map((line) => [
    whole(line.seq),
    line.type,
    line.recordedAt,
    html`${name(line.actor)} (${line.role})`,
    line.place,
    name(line.what),
  ]),
)}
${ledger.tableOmitted > 0 ? html`<p>${whole(ledger.tableOmitted)} further events of processing steps are in ledger.jsonl.</p>` : null}
<p>${timeZones}</p>`;

const verifySection: Section = ({ generator, signer, examination, profile }) => html`<h2>How to verify this report</h2>
<p>On any machine, without the laboratory and without a network: <code>custodia verify FOLDER --trust FINGERPRINT --evidence IMAGE</code>. It recomputes every digest in this folder, checks every signature, and compares report, ledger and catalogue with each other. Ask the laboratory for the fingerprint of its key on another way than the one by which this report came:</p>
<p><code>${signer}</code></p>
<h2>How it was made</h2>
${facts([
  ['Program', `${generator.name} ${generator.version} on ${generator.runtime}, ${generator.platform}, host ${generator.host}`],
  ['Examination', examination.id],
  ['Settings', html`<code>${JSON.stringify(profile)}</code>`],
])}`;

const sections: readonly Section[] = [
  title,
  summary,
  receivedSection,
  integritySection,
  mediumSection,
  foundSection,
  missingSection,
  custodySection,
  verifySection,
];
