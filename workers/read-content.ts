/** Thread entry: gives out the content at a locator. */
import { type MessagePort } from 'node:worker_threads';
import { type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { openImage } from '../src/examine/open-evidence.ts';
import { Outlet } from '../src/examine/outlet.ts';
import { findContent } from '../src/examine/read-content.ts';

const silent = { add: () => undefined };

export default answering(
  async ({ task, port }: { task: Task & { kind: 'read-content' }; port: MessagePort }): Promise<{ size: number }> => {
    const outlet = new Outlet(port);
    const opened = openImage(task.image, silent);
    try {
      const { source, close } = await findContent(opened.image, task.volume, task.locator, silent);
      try {
        const { offset: first, length } = task.part ?? { offset: 0, length: source.size };
        const end = Math.min(first + length, source.size);
        for (let offset = first; offset < end; ) {
          const bytes = source.read(offset, Math.min(1024 * 1024, end - offset));
          if (bytes.length === 0) break;
          offset += bytes.length;
          await outlet.send({ kind: 'content', bytes }, bytes);
        }
        return { size: source.size };
      } finally {
        close();
      }
    } finally {
      opened.close();
    }
  },
);
