/** Thread entry: surveys an image. */
import { type MessagePort } from 'node:worker_threads';
import { defaultLimits } from '../src/evidence/limits.ts';
import { imageLocator } from '../src/evidence/locator.ts';
import { type SurveyResult, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { openImage } from '../src/examine/open-evidence.ts';
import { Outlet } from '../src/examine/outlet.ts';
import { LocatedProblems } from '../src/examine/problems.ts';
import { survey } from '../src/examine/survey.ts';

export default answering(async ({ task, port }: { task: Task & { kind: 'survey' }; port: MessagePort }): Promise<SurveyResult> => {
  const outlet = new Outlet(port, task.rowPrefix);
  const problems = new LocatedProblems(
    defaultLimits.problemsPerCode,
    (problem) => outlet.addProblem(problem),
    () => imageLocator,
  );
  const opened = openImage(task.image, problems);
  try {
    const found = survey(opened, problems);
    problems.close();
    await outlet.flush(true);
    return { ...found, problems: problems.total };
  } finally {
    opened.close();
  }
});
