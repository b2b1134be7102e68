/** The sections of report.html about the content: what was found, what was not examined, problems, limits. */
import { type ReportFindings } from '../findings.ts';
import { type Html, html } from '../html-tag.ts';
import { bytes, cutName, facts, name, table, whole } from './pieces.ts';

export const foundSection = ({ counts, notable, catalogue }: ReportFindings): Html => html`<h2>What was found</h2>
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
<p>All of them are in entries.csv, and with all that is known of each in entries.jsonl.</p>
<h3>Files by type of their content</h3>
${table(
  ['Type', 'Files#'],
  counts.byMediaType.map(({ mediaType, count }) => [mediaType, whole(count)]),
)}
${notable.map(
  ({ why, total, entries }) =>
    html`<h3>${why} (${whole(total)})</h3>
${table(
  ['Path', 'Size#', 'Note', 'Locator'],
  entries.map((entry) => [cutName(entry.path), whole(entry.size), name(entry.note), html`<code>${entry.locator}</code>`]),
)}${total > entries.length ? html`<p>${whole(total - entries.length)} more are in entries.csv.</p>` : null}
`,
)}`;

export const missingSection = ({ notExamined, problems, limits }: ReportFindings): Html => html`<h2>What was not examined, and why</h2>
${table(
  ['What', 'Bytes#', 'Why'],
  notExamined.map(({ what, bytes: size, reason }) => [html`<code>${what}</code>`, size === null ? '' : whole(size), name(reason)]),
)}
<h2>Problems</h2>
<p>${whole(problems.total)} in all, ${whole(problems.hidingEvidence)} of them may hide evidence. Each is in problems.jsonl with its place.</p>
${table(
  ['Code|', 'Count#', 'May hide evidence#', 'Example'],
  problems.byCode.map((problem) => [
    html`<code>${problem.code}</code>`,
    whole(problem.count),
    whole(problem.hiding),
    html`${name(problem.exampleMessage)} <code>${problem.exampleLocator}</code>`,
  ]),
)}
<h2>Limits of this examination</h2>
<ul>${limits.map((limit) => html`<li>${limit}</li>`)}</ul>`;
