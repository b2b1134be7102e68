/** The sections of report.html about the record: the custody table, how to verify, how it was made. */
import { type ReportFindings } from '../findings.ts';
import { type Html, html } from '../html-tag.ts';
import { counted, facts, name, table, whole } from './pieces.ts';

export const custodySection = ({ ledger, timeZones }: ReportFindings): Html => html`<h2>Custody</h2>
<p>${counted(ledger.events, 'signed event')}, each naming the one before it. ${ledger.gaps.length === 0 ? 'No gap and no overlap was found.' : 'Gaps and contradictions:'}</p>
${
  ledger.gaps.length === 0
    ? null
    : table(
        ['Kind|', 'After event#', 'What'],
        ledger.gaps.map((gap) => [gap.kind, whole(gap.afterSeq), gap.message]),
      )
}
${table(
  ['#', 'Event|', 'When (UTC)', 'Who', 'Where', 'What'],
  ledger.table.map((line) => [
    whole(line.seq),
    line.type,
    html`<span class="mono">${line.recordedAt}</span>`,
    html`${name(line.actor)} (${line.role})`,
    name(line.place),
    name(line.what),
  ]),
)}
${ledger.tableOmitted > 0 ? html`<p>${counted(ledger.tableOmitted, 'further event')} of processing steps ${ledger.tableOmitted === 1 ? 'is' : 'are'} in ledger.jsonl.</p>` : null}
<p>${timeZones}</p>`;

const outcomeOf = ({ done, split, quarantined }: ReportFindings['processing']['steps'][number]): string =>
  [`${whole(done)} done`, split > 0 ? `${whole(split)} split` : '', quarantined > 0 ? `${whole(quarantined)} GIVEN UP` : '']
    .filter((part) => part !== '')
    .join(', ');

export const verifySection = ({
  generator,
  signer,
  examination,
  profile,
  processing,
}: ReportFindings): Html => html`<h2>How it was made</h2>
${table(
  ['Tool', 'Version|', 'On', 'Host|', 'Isolation|', 'Steps#'],
  processing.tools.map((tool) => [
    html`${tool.name}<br><span class="small">${tool.dependencies}</span>`,
    tool.version,
    `${tool.runtime}, ${tool.platform}`,
    name(tool.host),
    tool.isolation,
    whole(tool.steps),
  ]),
)}
${facts([
  ...processing.steps.map((step) => [`Step ${step.kind}`, outcomeOf(step)] as const),
  ['Examination', examination.id],
  ['Report by', html`${generator.name} ${generator.version} on ${generator.runtime}, ${generator.platform}, host ${name(generator.host)}`],
  ['Settings', html`<code>${JSON.stringify(profile)}</code>`],
])}
<h2>How to verify this report</h2>
<p>On any machine, without the laboratory and without a network: <code>custodia verify FOLDER --trust FINGERPRINT --evidence IMAGE</code>. It recomputes every digest in this folder, checks every signature, and compares report, ledger and catalogue with each other. Ask the laboratory for the fingerprint of its key on another way than the one by which this report came:</p>
<p><code>${signer}</code></p>`;
