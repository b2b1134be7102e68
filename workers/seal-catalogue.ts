/** Thread entry: the catalogue's root, and its table as CSV. */
import { type MessagePort } from 'node:worker_threads';
import { type SealedCatalogue, type Task } from '../src/evidence/task.ts';
import { answering } from '../src/examine/answer.ts';
import { Outlet } from '../src/examine/outlet.ts';
import { sealCatalogue } from '../src/reports/catalogue.ts';

export default answering(({ task, port }: { task: Task & { kind: 'seal-catalogue' }; port: MessagePort }): SealedCatalogue => {
  const outlet = new Outlet(port);
  return sealCatalogue(task, (entries) => outlet.progress(0, entries));
});
