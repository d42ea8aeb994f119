import type { Worker } from 'node:worker_threads';
import type { Encoding } from '../text/encoding.js';
import type { WrittenExpectations } from './written-expectations.js';

/** What the thread is told when it starts. */
export interface ExaminerTask {
  readonly written: WrittenExpectations;
  readonly encoding: Encoding;
}

/** What a reply was found to be; `says` as `Expectation.mismatch` does. */
export interface Examination {
  readonly says: string | undefined;
}

/**
 * Holds replies against the expectations in a thread of its own: a search that takes seconds can be ended there. The
 * thread is started with the first reply.
 */
export class Examiner {
  readonly #file: string;
  readonly #task: ExaminerTask;
  #starting: Promise<Worker> | undefined;
  #ended = false;
  /** Settles the examination under way. */
  #found = (_examination: Examination | undefined): void => undefined;
  #failed = (_error: unknown): void => undefined;

  /** @param file path of the program that the thread runs, which is `bin/examine.ts` bundled */
  constructor(file: string, task: ExaminerTask) {
    this.#file = file;
    this.#task = task;
  }

  /**
   * Examines a reply, one at a time; resolves to undefined if it is ended before.
   *
   * @throws what keeps the thread from running, such as the permissions of this process
   */
  examine(data: Uint8Array): Promise<Examination | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#found = resolve;
      this.#failed = reject;
      this.#starting ??= this.#start();
      this.#starting.then((worker) => {
        // The memory of a reply may hold others, too.
        const copy = new Uint8Array(data);
        worker.postMessage(copy, [copy.buffer]);
      }, reject);
    });
  }

  async #start(): Promise<Worker> {
    const { Worker: Thread } = await import('node:worker_threads');
    // It says nothing on these, and without the two it would open those of the process.
    const worker = new Thread(this.#file, { workerData: this.#task, stdout: true, stderr: true });
    worker.unref();
    worker.on('message', (examination: Examination) => {
      this.#found(examination);
    });
    worker.on('error', (error) => {
      this.#failed(error);
    });
    return worker;
  }

  /** Ends the thread, and the examination under way. Twice is fine. */
  end(): void {
    this.#ended = true;
    this.#found(undefined);
    void this.#starting?.then((worker) => worker.terminate()).catch(() => undefined);
  }
}
