/** Thread entry: which image a path belongs to, and all its segments. */
import { type MessagePort } from 'node:worker_threads';
import { type ImageReference, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { findSegments } from '../src/examine/open-evidence.ts';

export default answering(
  ({ task }: { task: Task & { kind: 'find-segments' }; port: MessagePort }): ImageReference => findSegments(task.path),
);
