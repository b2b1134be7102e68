/** The files of an examination's report, written when the first of them is asked for. */
import { createReadStream, existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Type } from 'typebox';
import { sha256 } from '../../custody/canonical.ts';
import { type Installation } from '../../installation.ts';
import { manifestFile } from '../../reports/findings.ts';
import { catalogueFolder } from '../../store/conclusion.ts';
import { createAccessWatch } from '../access-watch.ts';
import { notFound, Refusal } from '../problem.ts';
import { beginPart } from '../ranges.ts';
import { writeReport } from '../report-writing.ts';
import { Id, type Routes } from '../route.ts';

const types = {
  'report.json': 'application/json',
  'report.html': 'text/html; charset=utf-8',
  'entries.csv': 'text/csv; charset=utf-8',
  'entries.jsonl': 'application/jsonl',
  'problems.jsonl': 'application/jsonl',
  'ledger.jsonl': 'application/jsonl',
  'leaves.json': 'application/json',
  'signer.pub': 'application/x-pem-file',
  'manifest.dsse.json': 'application/json',
} as const;

/** Each report is written once, however many ask for it at the same time. */
function reportFolders(installation: Installation): (id: string) => Promise<string> {
  const underWay = new Map<string, Promise<string>>();
  const write = async (id: string, folder: string): Promise<string> => {
    try {
      await writeReport({ config: installation.config, examinationId: id, folder });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'out.not-empty') throw error; // another process was first
    }
    return folder;
  };
  return async (id) => {
    const folder = join(catalogueFolder(installation.config.dataFolder, id), 'report');
    if (existsSync(folder)) return folder;
    const writing = underWay.get(id) ?? write(id, folder).finally(() => underWay.delete(id));
    underWay.set(id, writing);
    return writing;
  };
}

/** What the manifest says that the file's SHA-256 is; of the manifest itself, what it is. */
async function digestOf(folder: string, name: string): Promise<string | null> {
  const manifest = await readFile(join(folder, manifestFile));
  if (name === manifestFile) return sha256(manifest);
  const { payload } = JSON.parse(manifest.toString('utf8')) as { payload: string };
  const { subject } = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as {
    subject: { name: string; digest: { sha256: string } }[];
  };
  return subject.find((file) => file.name === name)?.digest.sha256 ?? null;
}

export const reportRoutes: Routes = (api, service) => {
  const reportFolder = reportFolders(service.installation);
  const access = createAccessWatch(service);
  api.get(
    '/examinations/:examinationId/report/:file',
    {
      config: { policy: { action: 'report.read', about: 'examination' } },
      schema: { params: Type.Object({ examinationId: Id, file: Type.String({ maxLength: 100 }) }), summary: 'One file of the report' },
    },
    async (request, reply) => {
      const { examinationId, file } = request.params;
      if (!Object.hasOwn(types, file)) throw notFound();
      const { rows } = await service.read(request, (client) =>
        client.query<{ status: string }>('select status from examination where id = $1', [examinationId]),
      );
      const status = rows[0]?.status ?? '';
      if (!['complete', 'integrity-failed'].includes(status))
        throw new Refusal(409, 'examination.open', `its status is '${status}', a report is written when it has concluded`);
      const folder = await reportFolder(examinationId);
      const path = join(folder, file);
      reply
        .type(types[file as keyof typeof types])
        .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; sandbox")
        .header('cross-origin-resource-policy', 'same-origin');
      const part = beginPart(request, reply, (await stat(path)).size, await digestOf(folder, file));
      if (part === null || part.length === 0) return reply.send(Readable.from([]));
      await service.looked(request, { examinationId, how: 'downloaded', locator: 'image:' });
      const body = createReadStream(path, { start: part.offset, end: part.offset + part.length - 1 });
      const unwatch = access.watch(request, () => {
        body.destroy();
        reply.raw.destroy();
      });
      body.once('close', unwatch);
      return reply.send(body);
    },
  );
};
