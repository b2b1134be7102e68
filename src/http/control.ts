/** What the routes of control share: who decides, and what a decision that cannot be taken is over HTTP. */
import { type FastifyRequest } from 'fastify';
import { type Actor, type Control, ControlError } from '../pipeline/control.ts';
import { Refusal } from './problem.ts';
import { type Service } from './route.ts';

export async function controlOf({ installation }: Service): Promise<Control> {
  const { database, recorder } = installation;
  return { database, recorder, queue: await installation.queue() };
}

/** As the ledger names whoever asks. */
export async function actorOf({ installation }: Service, { subject, credential, about }: FastifyRequest): Promise<Actor> {
  const { rows } = await installation.database.query<{ name: string }>('select name from account where id = $1', [subject.accountId]);
  const role = about.resource.caseRoles[0] ?? subject.roles[0] ?? 'member';
  return { name: rows[0]?.name ?? subject.accountId, role, authenticator: credential.kind };
}

/** Throws Refusal for what the state of things does not allow. */
export async function deciding<T>(decision: Promise<T>): Promise<T> {
  try {
    return await decision;
  } catch (error) {
    if (error instanceof ControlError) throw new Refusal(409, error.code, error.message);
    throw error;
  }
}
