import { setMaxListeners } from 'node:events';
import { type Datagram, type Endpoint, familyOf, formatEndpoint, MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Log } from '../output/log.js';
import { Alarm } from '../timing/alarm.js';
import type { Answer, Answering, AnswerSink } from './responder.js';
import { type Program, runProgram } from './program-run.js';

/** Options of {@link ProgramAnswers}. */
export interface ProgramOptions {
  readonly program: Program;
  /** How long one run may last. From the moment the server is to end, all of them together have that long. */
  readonly timeoutMs: number;
  /** Runs at a time, at least 1. */
  readonly concurrency: number;
  /** What each run finds in its environment besides the addresses. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Hears what the programs write to stderr. */
  readonly log: Log;
  /** Kills whatever runs, and begins no more. */
  readonly force: AbortSignal;
  /** Ends every process of a group at once, if there are any. */
  readonly killGroup: (group: number) => void;
}

/**
 * Runs a program for each datagram: the payload is its stdin, what it writes to stdout is the answer, if it is not empty.
 * While as many run as may, further datagrams wait, and the receive queue behind them.
 */
export class ProgramAnswers implements Answering {
  readonly varies = true;
  readonly #options: ProgramOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #kill = new AbortController();
  readonly #deadline = new Alarm(() => {
    this.#kill.abort();
  });
  #hurried = false;
  #sink!: AnswerSink;
  #local!: Endpoint;
  #onEnd = (): void => undefined;

  constructor(options: ProgramOptions) {
    this.#options = options;
    // Node would warn of a leak: each run listens, and there are no more runs than that.
    setMaxListeners(options.concurrency, this.#kill.signal);
  }

  begin(sink: AnswerSink, local: Endpoint): void {
    this.#sink = sink;
    this.#local = local;
    const { force } = this.#options;
    if (force.aborted) this.#onForce();
    else force.addEventListener('abort', this.#onForce, { once: true });
  }

  readonly #onForce = (): void => {
    this.#kill.abort();
  };

  async answer(batch: readonly Datagram[]): Promise<readonly Answer[]> {
    for (const [index, datagram] of batch.entries()) {
      while (this.#running.size >= this.#options.concurrency) await this.#oneEnds();
      if (this.#kill.signal.aborted) {
        this.#giveUp(batch.length - index);
        break;
      }
      const run = this.#run(datagram).finally(() => {
        this.#running.delete(run);
        this.#onEnd();
      });
      this.#running.add(run);
    }
    return [];
  }

  #oneEnds(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnd = resolve;
    });
  }

  #giveUp(count: number): void {
    this.#sink.giveUp(count, 'the server ended before their programs did (--exec-timeout)');
  }

  async #run(question: Datagram): Promise<void> {
    const { data, remote, local: asked } = question;
    const local = asked ?? this.#local;
    const { program, timeoutMs, env, log, killGroup } = this.#options;
    const peer = formatEndpoint(remote);
    const result = await runProgram(program, {
      input: data,
      env: {
        ...env,
        UDPCAT_REMOTE_ADDR: remote.address,
        UDPCAT_REMOTE_PORT: String(remote.port),
        UDPCAT_LOCAL_ADDR: local.address,
        UDPCAT_LOCAL_PORT: String(local.port),
      },
      maxOutputBytes: MAX_PAYLOAD_BYTES[familyOf(remote.address)],
      timeoutMs,
      signal: this.#kill.signal,
      onErrorLine: (line) => {
        log.info(`${peer}: ${line}`, { peer });
      },
      killGroup,
    });
    switch (result.kind) {
      case 'ended':
        if (result.status !== 0) log.warn(`${peer}: the program ended with status ${result.status}`, { peer });
        if (result.output.length > 0 && this.#sink.permits(question, result.output.length)) {
          this.#sink.send([{ data: result.output, remote, local: asked }]);
        }
        break;
      case 'failed':
        this.#sink.fail(remote, result.why);
        break;
      case 'aborted':
        this.#giveUp(1);
        break;
    }
  }

  hurry(): void {
    if (this.#hurried) return;
    this.#hurried = true;
    this.#deadline.set(this.#options.timeoutMs);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#running);
    this.#deadline.stop();
    this.#options.force.removeEventListener('abort', this.#onForce);
  }
}
