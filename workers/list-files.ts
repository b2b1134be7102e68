/** Thread entry: lists the files of one volume. */
import { type MessagePort } from 'node:worker_threads';
import { type ListFilesResult, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { entryLocator } from '../src/examine/entry-record.ts';
import { listFiles } from '../src/examine/list-files.ts';
import { openFileSystem, openImage } from '../src/examine/open-evidence.ts';
import { Outlet } from '../src/examine/outlet.ts';
import { LocatedProblems } from '../src/examine/problems.ts';

export default answering(async ({ task, port }: { task: Task & { kind: 'list-files' }; port: MessagePort }): Promise<ListFilesResult> => {
  const { volume, profile } = task;
  const outlet = new Outlet(port, task.rowPrefix);
  const locate = (address?: string) => (address === undefined ? volume.locator : entryLocator(volume.locator, volume.fileSystem, address));
  const problems = new LocatedProblems(profile.limits.problemsPerCode, (problem) => outlet.addProblem(problem), locate);
  const opened = openImage(task.image, { add: () => undefined }); // the container's own problems are told by the survey
  try {
    const fileSystem = openFileSystem(opened.image, volume, problems, () => outlet.progress(0, 0));
    return await listFiles(fileSystem, volume, outlet, problems);
  } finally {
    opened.close();
  }
});
