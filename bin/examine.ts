/**
 * The worker thread of `Examiner` in src/check/examiner.ts. It receives payloads and posts back the first expectation
 * that a payload does not meet. A slow regular expression then blocks this thread, not the command.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { Examination, ExaminerTask } from '../src/check/examiner.js';
import { createExpectations, firstMismatch } from '../src/check/written-expectations.js';

const { written, encoding } = workerData as ExaminerTask;
const reading = createExpectations(written, encoding);

parentPort?.on('message', (data: Uint8Array) => {
  void reading.then((expectations) => {
    parentPort?.postMessage({ says: firstMismatch(expectations, data) } satisfies Examination);
  });
});
