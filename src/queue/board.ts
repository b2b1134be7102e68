/** The pages of bull-board over our queue: to be looked at only. Jobs hold ids of units and nothing else. */
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { FastifyAdapter } from '@bull-board/fastify';
import { type Queue } from 'bullmq';
import { type UnitQueue } from '../pipeline/unit-queue.ts';
import { type UnitJob } from './backend.ts';

const queues = new WeakMap<UnitQueue, Queue<UnitJob>>();

/** Lets the board show what is behind `units`. */
export function showOnBoard(units: UnitQueue, queue: Queue<UnitJob>): UnitQueue {
  queues.set(units, queue);
  return units;
}

/** A plugin for Fastify, to be registered with the prefix `path`. */
export function boardPlugin(units: UnitQueue, path: string): ReturnType<FastifyAdapter['registerPlugin']> {
  const queue = queues.get(units);
  if (queue === undefined) throw new Error('this queue was not opened by open-queue.ts');
  const serverAdapter = new FastifyAdapter().setBasePath(path);
  createBullBoard({
    queues: [new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false })],
    serverAdapter,
    options: { uiConfig: { boardTitle: 'Custodia: queue' } },
  });
  // its own would tell a request that was refused that the server failed: what is thrown here goes to the handler of the server
  serverAdapter.setErrorHandler((error) => {
    throw error;
  });
  return serverAdapter.registerPlugin();
}
