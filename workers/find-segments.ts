/** Thread entry: which image a path belongs to, and all its segments. */
import { type ImageReference } from '../src/evidence/task.ts';
import { findSegments } from '../src/examine/open-evidence.ts';

export default ({ task }: { task: { path: string } }): ImageReference => findSegments(task.path);
