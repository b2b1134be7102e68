/** Thread entry: digests the medium and the image's files, alone or as one of two threads. */
import { type MessagePort } from 'node:worker_threads';
import { defaultLimits } from '../src/evidence/limits.ts';
import { imageLocator } from '../src/evidence/locator.ts';
import { type HashMediaPart, type HashRole, type LocatedProblem, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { hashMedia } from '../src/examine/hash-media.ts';
import { openImage } from '../src/examine/open-evidence.ts';
import { Outlet } from '../src/examine/outlet.ts';
import { LocatedProblems } from '../src/examine/problems.ts';

interface Given {
  readonly task: Task & { kind: 'hash-media' };
  readonly port: MessagePort;
  readonly role: HashRole;
  readonly memory: SharedArrayBuffer | null;
}

export default answering(({ task, port, role, memory }: Given): HashMediaPart => {
  const outlet = new Outlet(port);
  const found: LocatedProblem[] = [];
  const problems = new LocatedProblems(
    defaultLimits.problemsPerCode,
    (problem) => found.push(problem),
    () => imageLocator,
  );
  problems.muted = true; // what opening meets is told by the survey
  const opened = openImage(task.image, problems);
  problems.muted = false;
  try {
    const part = hashMedia(opened, {
      role,
      memory,
      leafSize: task.leafSize,
      problems: found,
      progress: (bytes) => outlet.progress(bytes, 0),
    });
    problems.close();
    return part;
  } finally {
    opened.close();
  }
});
