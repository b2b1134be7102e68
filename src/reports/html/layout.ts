/** A picture of the medium: its volumes, tables and gaps, to scale as far as small ones stay visible. */
import { type ReportFindings } from '../findings.ts';
import { type Html, html, plainText } from '../html-tag.ts';

const width = 1000;
const smallest = 6;
const colours = { volume: '#3b6ea5', table: '#8a94a3', gap: '#dfe4ea' } as const;

export function layoutPicture({ volumes, media }: ReportFindings): Html {
  if (media.size === 0 || volumes.length === 0) return html``;
  const shown = volumes.filter(({ length }) => length > 0).slice(0, 60);
  const share = shown.map(({ length }) => Math.max(smallest, (length / media.size) * width));
  const total = share.reduce((sum, part) => sum + part, 0);
  let x = 0;
  const bars = shown.map((volume, index) => {
    const w = (share[index]! / total) * width;
    const colour = volume.kind === 'volume' && volume.fileSystem === null ? '#c98a1b' : colours[volume.kind];
    const bar = html`<rect x="${x.toFixed(1)}" y="10" width="${Math.max(1, w - 1).toFixed(1)}" height="46" fill="${colour}"><title>${plainText(volume.label)}, ${volume.length} bytes at ${volume.offset}</title></rect>${w > 60 && volume.kind === 'volume' ? html`<text x="${(x + 6).toFixed(1)}" y="38" fill="#fff" font-size="13" font-family="sans-serif">${String(volume.number ?? '')} ${volume.fileSystem === null ? 'not listed' : plainText(String(volume.fileSystem.facts.type ?? volume.fileSystem.name))}</text>` : null}`;
    x += w;
    return bar;
  });
  const legend = [
    ['#3b6ea5', 'file system listed'],
    ['#c98a1b', 'volume not listed'],
    ['#8a94a3', 'partition table'],
    ['#dfe4ea', 'in no partition'],
  ] as const;
  const keys = legend.map(
    ([colour, text], index) =>
      html`<rect x="${index * 190}" y="68" width="12" height="12" fill="${colour}"/><text x="${index * 190 + 18}" y="79" font-size="12" font-family="sans-serif" fill="#55606f">${text}</text>`,
  );
  return html`<svg viewBox="0 0 ${width} 86" role="img" aria-label="layout of the medium">${bars}${keys}</svg>`;
}
