import type { Worker } from 'node:worker_threads';
import type { Encoding } from '../text/encoding.js';
import type { WrittenExpectations } from './written-expectations.js';

/** The data that the thread gets when it starts. */
export interface ExaminerTask {
  readonly written: WrittenExpectations;
  readonly encoding: Encoding;
}

/** The result for one reply. */
export interface Examination {
  /** Why the reply fails an expectation, in words that follow "the reply"; undefined if it meets all. */
  readonly says: string | undefined;
}

/**
 * Compares replies with the expectations in another thread. A search can take seconds, and only a thread can be ended during
 * a search. The thread starts with the first reply.
 */
export class Examiner {
  readonly #file: string | URL;
  readonly #task: ExaminerTask;
  #starting: Promise<Worker> | undefined;
  #ended = false;
  /** These two settle the promise of the examination under way. */
  #found = (_examination: Examination | undefined): void => undefined;
  #failed = (_error: unknown): void => undefined;

  /** @param file the path or the `data:` URL of the program that the thread runs: `bin/examine.ts`, bundled */
  constructor(file: string | URL, task: ExaminerTask) {
    this.#file = file;
    this.#task = task;
  }

  /**
   * Examines one reply. The next call must wait for the result. Resolves to undefined if {@link end} came first.
   *
   * @throws the error of a thread that cannot run, for example because this process has no permission to start one
   */
  examine(data: Uint8Array): Promise<Examination | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#found = resolve;
      this.#failed = reject;
      this.#starting ??= this.#start();
      this.#starting.then((worker) => {
        // The copy is moved to the thread. The memory of the reply itself may also hold other replies.
        const copy = new Uint8Array(data);
        worker.postMessage(copy, [copy.buffer]);
      }, reject);
    });
  }

  async #start(): Promise<Worker> {
    const { Worker: Thread } = await import('node:worker_threads');
    // The thread writes nothing. Without these two options it would open stdout and stderr of the process.
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

  /** Ends the thread and the examination under way. Further calls do nothing. */
  end(): void {
    this.#ended = true;
    this.#found(undefined);
    void this.#starting?.then((worker) => worker.terminate()).catch(() => undefined);
  }
}
