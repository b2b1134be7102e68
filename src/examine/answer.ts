/** What a thread answers: an error that our readers throw keeps its code across the bridge, any other stays a crash of the task. */
import { type MessagePort } from 'node:worker_threads';
import { type Answer } from '../evidence/task.ts';
import { isExpected } from './expected-error.ts';

/** Makes a thread entry out of the work. The port is closed when the work is over: the other side waits for that. */
export const answering =
  <Given extends { readonly port: MessagePort }, Result>(work: (given: Given) => Promise<Result> | Result) =>
  async (given: Given): Promise<Answer<Result>> => {
    try {
      return { result: await work(given) };
    } catch (error) {
      if (!isExpected(error)) throw error;
      return { refused: { code: error.code, message: error.message } };
    } finally {
      given.port.close();
    }
  };
