/** Thread entry: examines a batch of files. */
import { type MessagePort } from 'node:worker_threads';
import { type ExamineFilesResult, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { prepareDigests } from '../src/examine/digests.ts';
import { type Examination, examineFiles, recordUntouched } from '../src/examine/examine-files.ts';
import { openFileSystem, openImage } from '../src/examine/open-evidence.ts';
import { Outlet } from '../src/examine/outlet.ts';
import { LocatedProblems } from '../src/examine/problems.ts';

export default answering(
  async ({ task, port }: { task: Task & { kind: 'examine-files' }; port: MessagePort }): Promise<ExamineFilesResult> => {
    const { volume, profile } = task;
    await prepareDigests(profile.digests);
    const outlet = new Outlet(port, task.rowPrefix);
    const problems = new LocatedProblems(
      profile.limits.problemsPerCode,
      (problem) => outlet.addProblem(problem),
      () => volume.locator,
    );
    const examination: Examination = { profile, outlet, problems, counts: { entries: 0, files: 0, bytes: 0 } };
    if (task.untouchedBecause !== undefined) return recordUntouched(task.files, task.untouchedBecause, examination);
    const opened = openImage(task.image, { add: () => undefined }); // told by the survey and by the listing
    try {
      const open = () => {
        problems.muted = true; // the listing has told what is wrong with the file system as a whole
        try {
          return openFileSystem(opened.image, volume, problems);
        } finally {
          problems.muted = false;
        }
      };
      return await examineFiles(opened.image, open, task.files, examination);
    } finally {
      opened.close();
    }
  },
);
