/** Thread entry: in which order files belong together as one image, what is missing among them and what belongs elsewhere. */
import { type MessagePort } from 'node:worker_threads';
import { type SegmentSet, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { orderSegments } from '../src/examine/order-segments.ts';

export default answering(
  ({ task }: { task: Task & { kind: 'order-segments' }; port: MessagePort }): SegmentSet => orderSegments(task.segments),
);
