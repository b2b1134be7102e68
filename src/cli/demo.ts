/** `npm run demo`: the main job on the image that comes with the program, and its report verified. */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { type Installation } from '../installation.ts';
import { exitCodes } from './exit-codes.ts';
import { processImages } from './process.ts';
import { openProgress } from './progress.ts';
import { summaryLines } from './summary.ts';
import { runVerify } from './verify.ts';

const image = join(import.meta.dirname, '..', '..', 'fixtures', 'disk-mbr-e01', 'image.E01');

export async function demo(installation: Installation, out: NodeJS.WriteStream, signal: AbortSignal): Promise<number> {
  const folder = freeFolder(resolve('custodia-demo'));
  const view = openProgress(process.stderr, process.stderr.isTTY ? 'bars' : 'lines', () => performance.now());
  const options = { images: [image], caseReference: 'DEMO-1', exhibit: 'A-1', examiner: 'Demo Examiner', digests: [], out: folder };
  const { status, reports } = await processImages(installation, options, view, signal);
  for (const report of reports) out.write(`${summaryLines(report).join('\n')}\n`);
  out.write('\nverifying it, as anybody can:\n\n');
  const { dataFolder } = installation.config;
  const write = (text: string) => out.write(text);
  const verified = await runVerify({
    folder,
    evidence: [image],
    trust: [],
    json: false,
    dataFolder,
    threads: installation.config.threads,
    version: installation.version,
    write,
  });
  out.write(
    `\nThe report is in ${relative(process.cwd(), folder)}. Open ${join(relative(process.cwd(), folder), 'report.html')} in a browser.\n`,
  );
  return verified !== 0 ? verified : status === exitCodes.hidden ? exitCodes.complete : status;
}

function freeFolder(wanted: string): string {
  for (let number = 1; ; number++) {
    const folder = number === 1 ? wanted : `${wanted}-${number}`;
    if (!existsSync(folder)) return folder;
  }
}
