/** Opens intake for the routes that need it, once for a service; and what its errors are over HTTP. */
import { type Config } from '../config.ts';
import { type Intake, openIntake } from '../intake/intake.ts';
import { IntakeError } from '../intake/intake-error.ts';
import { roomIn } from '../pipeline/room.ts';
import { type Upload } from '../store/uploads.ts';
import { Refusal } from './problem.ts';
import { type Api, type Service } from './route.ts';

const opened = new WeakMap<Service, Intake>();

/** The same for all routes of a service; ends with the server. */
export function intakeOf(api: Api, service: Service): Intake {
  const known = opened.get(service);
  if (known !== undefined) return known;
  const { database, threads, signer, version, log, config } = service.installation;
  const settings = config.intake;
  const onEnded = (upload: Upload) => auditEnd(service, upload);
  const intake = openIntake({
    database,
    threads,
    signer,
    version,
    log,
    settings,
    isShort: () => isShort(settings.storeFolder, config),
    onEnded,
  });
  opened.set(service, intake);
  api.addHook('preClose', () => intake.close());
  return intake;
}

/** An upload ends long after its last request was answered: what became of it is told by itself. */
async function auditEnd(service: Service, upload: Upload): Promise<void> {
  await service.audit.add({
    who: { account: upload.account_id, agency: upload.agency_id, credential: upload.credential, address: null },
    route: null,
    action: 'evidence.submit',
    outcome: upload.status === 'accepted' ? 'done' : 'failed',
    about: { exhibit: upload.exhibit_id, upload: upload.id },
    request: upload.id,
    ...(upload.problem_code === null ? {} : { detail: { code: upload.problem_code } }),
  });
}

const statuses: Readonly<Record<string, number>> = {
  'disk.short': 507,
  'place.root': 422,
  'quota.bytes': 413,
  'quota.objects': 413,
  'quota.uploads': 429,
  'segment.changed': 409,
  'segment.name-taken': 409,
  'segments.missing': 409,
  'segments.none': 409,
  'intake.closing': 503,
  'store.damaged': 500,
  'upload.aborted': 400,
  'upload.busy': 423,
  'upload.checksum': 460,
  'upload.digest': 422,
  's3.silent': 504,
  'upload.ended': 410,
  'upload.fetched': 409,
  'upload.idle': 408,
  'upload.name-taken': 409,
  'upload.offset': 409,
  'upload.too-long': 413,
};

/** Awaits what intake does; what it refuses is a problem document. */
export async function refusing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof IntakeError) throw refusalOfIntake(error);
    throw error;
  }
}

export const refusalOfIntake = ({ code, message }: { code: string; message: string }): Refusal =>
  new Refusal(statuses[code] ?? 422, code, message);

/** Looked at where the store lies; before its first use it is not there yet, and the data folder is. */
async function isShort(storeFolder: string, { dataFolder, reserveBytes }: Config): Promise<boolean> {
  const room = await roomIn(storeFolder, reserveBytes).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
    return roomIn(dataFolder, reserveBytes);
  });
  return room.short;
}
