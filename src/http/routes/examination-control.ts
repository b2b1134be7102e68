/** How an examination goes on: cancelled, begun again, paused, resumed, sooner or later. */
import { Type } from 'typebox';
import {
  type Actor,
  type Control,
  cancelExamination,
  pauseExamination,
  prioritiseExamination,
  resumeExamination,
  retryExamination,
  type Urgency,
} from '../../pipeline/control.ts';
import { changing } from '../audit.ts';
import { actorOf, controlOf, deciding } from '../control.ts';
import { plainText, Text } from '../fields.ts';
import { notFound, Refusal } from '../problem.ts';
import { closed, Id, type Routes } from '../route.ts';

export const Why = Type.Object({ why: Type.Optional(Text) }, closed);
const Params = Type.Object({ examinationId: Id });
const Change = Type.Object(
  {
    priority: Type.Optional(Type.Integer({ minimum: 1, maximum: 10 })),
    deadline: Type.Optional(Type.Union([Type.String({ minLength: 20, maxLength: 40 }), Type.Null()])),
    why: Type.Optional(Text),
  },
  closed,
);

type Decide = (control: Control, examinationId: string, actor: Actor, why: string) => Promise<void>;
const verbs: Readonly<Record<string, Decide>> = {
  cancel: cancelExamination,
  retry: retryExamination,
  pause: pauseExamination,
  resume: resumeExamination,
};

export const whyOf = (why: string | undefined): string => (why === undefined ? '' : plainText('why', why));

const columns =
  'id, status, priority, deadline, paused_at as "pausedAt", paused_because as "pausedBecause", cancelled_because as "cancelledBecause"';

export const examinationControlRoutes: Routes = (api, service) => {
  const config = { policy: { action: 'examination.control', about: 'examination' } } as const;
  const standing = async (examinationId: string) => {
    const { rows } = await service.installation.database.query(`select ${columns} from examination where id = $1`, [examinationId]);
    if (rows[0] === undefined) throw notFound();
    return rows[0];
  };
  for (const [verb, decide] of Object.entries(verbs)) {
    api.post(`/examinations/:examinationId/${verb}`, { config, schema: { params: Params, body: Why } }, async (request) => {
      const { examinationId } = request.params;
      const why = whyOf(request.body.why);
      await deciding(decide(await controlOf(service), examinationId, await actorOf(service, request), why));
      await changing(service, request, async (_, tell) =>
        tell({ action: 'examination.control', outcome: 'done', about: { examination: examinationId }, detail: { verb } }),
      );
      return standing(examinationId);
    });
  }
  api.patch('/examinations/:examinationId', { config, schema: { params: Params, body: Change } }, async (request) => {
    const { examinationId } = request.params;
    const { priority, deadline } = request.body;
    const urgency: Urgency = {
      ...(priority === undefined ? {} : { priority }),
      ...(deadline === undefined ? {} : { deadline: deadline === null ? null : momentOf(deadline) }),
    };
    await deciding(prioritiseExamination(await controlOf(service), examinationId, await actorOf(service, request), urgency));
    await changing(service, request, async (_, tell) =>
      tell({
        action: 'examination.control',
        outcome: 'done',
        about: { examination: examinationId },
        detail: { priority: priority ?? null, deadline: deadline ?? null },
      }),
    );
    return standing(examinationId);
  });
};

function momentOf(text: string): Date {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new Refusal(422, 'http.text', 'deadline: expected a time with its zone, like 2026-12-01T17:00:00Z');
  return new Date(time);
}
