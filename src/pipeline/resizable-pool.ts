/** A pool of threads whose number may change while it works: tasks that run end in the pool they began in, new ones begin in the new one. */
import { type RunOptions, type Task } from '../evidence/task.ts';
import { openThreadPool, type PiscinaPool, type PoolOptions } from './piscina-pool.ts';

export interface ResizablePool extends PiscinaPool {
  resize(threads: number): void;
}

export function openResizablePool(options: PoolOptions): ResizablePool {
  let current = openThreadPool(options);
  const running = new Map<PiscinaPool, number>([[current, 0]]);

  const closeUnused = async (pool: PiscinaPool) => {
    if (pool === current || running.get(pool) !== 0) return;
    await pool.close();
    if (pool.stuck() === 0) running.delete(pool);
  };
  return {
    get threads() {
      return current.threads;
    },
    async run<T extends Task>(task: T, runOptions: RunOptions) {
      const pool = current;
      running.set(pool, running.get(pool)! + 1);
      try {
        return await pool.run(task, runOptions);
      } finally {
        running.set(pool, running.get(pool)! - 1);
        closeUnused(pool).catch(options.onError);
      }
    },
    resize(threads) {
      if (threads === current.threads) return;
      const before = current;
      current = openThreadPool({ ...options, threads });
      running.set(current, 0);
      closeUnused(before).catch(options.onError);
    },
    stuck: () => [...running.keys()].reduce((sum, pool) => sum + pool.stuck(), 0),
    async close() {
      await Promise.all([...running.keys()].map((pool) => pool.close()));
    },
  };
}
