/** The last lines of `process`: what was found, in short, and where to read on. */
import { join } from 'node:path';
import { type ReportSummary } from '../reports/assemble.ts';
import { formatBytes, formatCount, visible } from './terminal.ts';

export function summaryLines(report: ReportSummary): string[] {
  const { mediaSize, digests, entries, files, problems, hiding, integrity, folder } = report;
  return [
    '',
    `case ${visible(report.case)}, exhibit ${visible(report.exhibit)}, examination ${report.examinationId}`,
    `  medium     ${formatBytes(mediaSize)} (${formatCount(mediaSize)} bytes)`,
    ...Object.entries(digests).map(([algorithm, value]) => `  ${algorithm.padEnd(10)} ${value}`),
    ...report.storedHashes.map(({ algorithm, place, equal }) => `  stored     ${algorithm} in the image's ${place}: ${verdict(equal)}`),
    `  found      ${formatCount(entries)} entries, ${formatCount(files)} of them files`,
    `  catalogue  ${report.catalogueRoot}`,
    `  problems   ${formatCount(problems)}${hiding > 0 ? `, ${formatCount(hiding)} of them hide evidence` : ''}`,
    `  evidence   ${integrity === 'intact' ? 'unchanged: same digests before and after' : integrity === 'changed' ? 'CHANGED while it was examined' : 'could not be compared'}`,
    `  signed by  ${report.signer}`,
    '',
    `report: ${visible(folder)}`,
    `  open   ${visible(join(folder, 'report.html'))}`,
    `  verify custodia verify ${visible(folder)}`,
  ];
}

const verdict = (equal: boolean | null): string => (equal === null ? 'could not be compared' : equal ? 'agrees' : 'DIFFERS');
