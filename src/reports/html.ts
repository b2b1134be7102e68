/** report.html: made from report.json alone, byte for byte the same each time; no script, nothing fetched. */
import { createHash } from 'node:crypto';
import { type ReportFindings } from './findings.ts';
import { custodySection, verifySection } from './html/custody.ts';
import { integritySection, mediumSection, receivedSection } from './html/evidence.ts';
import { foundSection, missingSection } from './html/found.ts';
import { style } from './html/style.ts';
import { summary, title } from './html/summary.ts';
import { type Html, Html as HtmlText, html, plainText } from './html-tag.ts';

const sections: readonly ((findings: ReportFindings) => Html)[] = [
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

export function renderHtml(findings: ReportFindings, reportDigest: string): string {
  const styleHash = createHash('sha256').update(style).digest('base64');
  const { report, generator } = findings;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${new HtmlText(styleHash)}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chain of custody: ${plainText(findings.case)} / ${plainText(findings.exhibit)}</title>
<style>${new HtmlText(style)}</style>
</head>
<body>
${sections.map((section) => section(findings))}
<footer>Report ${report.id}, made ${report.madeAt} by ${generator.name} ${generator.version}. SHA-256 of report.json: <code>${reportDigest}</code>. End of report.</footer>
</body>
</html>
`;
  return page.text;
}
