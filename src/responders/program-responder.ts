import { setMaxListeners } from 'node:events';
import { type Datagram, familyOf, formatEndpoint, MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Log } from '../output/log.js';
import { Alarm } from '../timing/alarm.js';
import { type Program, type ProgramControl, runProgram } from './program-run.js';
import type { Responder, Sink } from './responder.js';

/** Options of {@link ProgramResponder}. */
export interface ProgramOptions {
  readonly program: Program;
  /** How long one run may last, in milliseconds. When the server is about to end, all runs together get this time. */
  readonly timeoutMs: number;
  /** The maximum number of runs at the same time, at least 1. */
  readonly concurrency: number;
  /** The environment of each run. The addresses are added to it, as `UDPCAT_REMOTE_ADDR` and so on. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gets the lines that the programs write to stderr. */
  readonly log: Log;
  /** Kills all programs. No program is started after it. */
  readonly force: AbortSignal;
  readonly control: ProgramControl;
}

/**
 * Runs a program for each request. The payload is its stdin, and its stdout is the response. Empty output is no
 * response. While `concurrency` programs run, further requests wait. The receive queue then fills, and drops the
 * excess.
 */
export class ProgramResponder implements Responder {
  readonly varies = true;
  readonly #options: ProgramOptions;
  readonly #running = new Set<Promise<void>>();
  readonly #kill = new AbortController();
  readonly #deadline = new Alarm(() => {
    this.#kill.abort();
  });
  #hurried = false;
  #listens = false;
  #onEnd = (): void => undefined;

  constructor(options: ProgramOptions) {
    this.#options = options;
    // Each run adds a listener. Without this Node warns of a leak from the eleventh on.
    setMaxListeners(options.concurrency, this.#kill.signal);
  }

  /** Listens for `force`. Called with the first request, so that a responder without requests leaves no listener. */
  #listenToForce(): void {
    if (this.#listens) return;
    this.#listens = true;
    const { force } = this.#options;
    if (force.aborted) this.#onForce();
    else force.addEventListener('abort', this.#onForce, { once: true });
  }

  readonly #onForce = (): void => {
    this.#kill.abort();
  };

  async take(batch: readonly Datagram[], sink: Sink): Promise<void> {
    this.#listenToForce();
    for (const [index, datagram] of batch.entries()) {
      while (this.#running.size >= this.#options.concurrency) await this.#oneEnds();
      if (this.#kill.signal.aborted) {
        giveUp(batch.length - index, sink);
        break;
      }
      const run = this.#run(datagram, sink).finally(() => {
        this.#running.delete(run);
        this.#onEnd();
      });
      this.#running.add(run);
    }
  }

  #oneEnds(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEnd = resolve;
    });
  }

  async #run(request: Datagram, sink: Sink): Promise<void> {
    const { data, remote, local = sink.local } = request;
    const { program, timeoutMs, env, log, control } = this.#options;
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
      control,
    });
    switch (result.kind) {
      case 'ended':
        if (result.status !== 0) log.warn(`${peer}: the program ended with status ${result.status}`, { peer });
        if (result.output.length > 0) {
          const response = sink.permit(request, result.output);
          if (response !== undefined) sink.sendLate([response]);
        }
        break;
      case 'failed':
        sink.fail(remote, result.why);
        break;
      case 'aborted':
        giveUp(1, sink);
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

function giveUp(count: number, sink: Sink): void {
  sink.giveUp(count, 'the server ended before their programs did (--exec-timeout)');
}
