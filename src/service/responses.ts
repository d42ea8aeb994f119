import { amplifies } from '../guard/amplification.js';
import { ResponsePolicy } from '../guard/response-policy.js';
import { MAX_CORRUPTED } from '../guard/limits.js';
import { isLoopback } from '../net/address/endpoint.js';
import { type Datagram, type DatagramServer, type Endpoint, formatEndpoint, type Run } from '../net/index.js';
import type { Responder, ResponseDatagram, Sink } from '../responders/responder.js';
import type { Context } from '../run/context.js';
import type { Outbox } from './outbox.js';
import type { ServicePlan } from './plan.js';
import type { Unanswered } from './unanswered.js';

/**
 * Decides which requests get a response. It decides twice: the policy before the responder sees a request, and the size of
 * the responses afterwards.
 */
export class Gate {
  readonly #policy: ResponsePolicy;
  readonly #unanswered: Unanswered;
  /** How often one response may be sent, with the copies of `--duplicate`; 0 if the size of responses does not matter. */
  readonly #copies: number;

  constructor(plan: ServicePlan, policy: ResponsePolicy, unanswered: Unanswered) {
    this.#policy = policy;
    this.#unanswered = unanswered;
    const mayAmplify = plan.allow !== undefined || plan.amplify === true;
    this.#copies = mayAmplify ? 0 : plan.duplicate === undefined ? 1 : 2;
  }

  /** Returns the requests of a batch that may get a response. Counts the others. */
  admit(batch: readonly Datagram[]): readonly Datagram[] {
    const admitted = batch.filter((datagram) => this.#policy.permits(datagram));
    this.#unanswered.count();
    return admitted;
  }

  /** Returns the requests of runs that may get a response. Counts the others. */
  admitRuns(runs: readonly Run[]): readonly Run[] {
    const admitted: Run[] = [];
    for (const run of runs) for (const permitted of this.#policy.permitted(run)) admitted.push(permitted);
    this.#unanswered.count();
    return admitted;
  }

  /** See {@link Sink.permit}. */
  permit(request: Datagram, data: Uint8Array): ResponseDatagram | undefined {
    if (this.#isAmplified(request, data.length)) return undefined;
    return respondTo(request, data);
  }

  /** See {@link Sink.permitAll}. */
  permitAll(request: Datagram, payloads: readonly Uint8Array[]): readonly ResponseDatagram[] {
    const bytes = payloads.reduce((sum, { length }) => sum + length, 0);
    if (this.#isAmplified(request, bytes)) return [];
    const together = payloads.length > 1 ? {} : undefined;
    return payloads.map((data) => respondTo(request, data, together));
  }

  /** Whether responses of this size are too large for the request, see `amplifies`. If so, counts the request and warns. */
  #isAmplified(request: Datagram, responseBytes: number): boolean {
    if (!amplifies(request.data.length, responseBytes * this.#copies) || isLoopback(request.remote.address))
      return false;
    this.#unanswered.amplifies(request, responseBytes);
    return true;
  }
}

/** Makes a response. It leaves from the address that the request went to, if that is known. */
function respondTo({ remote, local }: Datagram, data: Uint8Array, together?: object): ResponseDatagram {
  return { data, remote, local, together } as ResponseDatagram;
}

/** Makes the policy of a service. It decides by the sender of a request, and by earlier requests. */
export function createPolicy(
  plan: ServicePlan,
  context: Context,
  local: Endpoint,
  { varies }: Pick<Responder, 'varies'>,
): ResponsePolicy {
  return new ResponsePolicy({
    local,
    loopGuard: plan.loopGuard,
    servicePorts: plan.answerServicePorts === true,
    ratePerSecond: plan.rateLimit,
    maxPeers: plan.maxPeers,
    onCorruptedLoop:
      plan.corrupt === undefined
        ? undefined
        : tellOfLoops(context, `more than ${MAX_CORRUPTED} answers to it were corrupted within a second`),
    onReturnLoop: varies === true ? tellOfLoops(context, 'it sent back one answer after another') : undefined,
  });
}

/** Makes a function that warns of the first peer whose traffic looks like a loop. `why` follows "PEER is not answered". */
function tellOfLoops({ log }: Context, why: string): (peer: Endpoint) => void {
  let told = false;
  return (peer) => {
    if (!told) {
      log.warn(
        `${formatEndpoint(peer)} is not answered for a second: ${why}, which looks like two servers that answer each other; ` +
          '--no-loop-guard lifts that',
      );
    }
    told = true;
  };
}

/** Connects a responder with the gate and the outbox. All requests and responses pass the gate. */
export class Responses {
  readonly #server: DatagramServer;
  readonly #responder: Responder;
  readonly #gate: Gate;
  readonly #outbox: Outbox;
  readonly #sink: Sink;
  /** Aborted by {@link hurry}. */
  readonly #hurried = new AbortController();
  #taking = 0;

  constructor(server: DatagramServer, responder: Responder, gate: Gate, outbox: Outbox, unanswered: Unanswered) {
    this.#server = server;
    this.#responder = responder;
    this.#gate = gate;
    this.#outbox = outbox;
    this.#sink = {
      local: server.local,
      permit: (request, payload) => gate.permit(request, payload),
      permitAll: (request, payloads) => gate.permitAll(request, payloads),
      send: (responses) => outbox.send(responses),
      sendLate: (responses) => {
        outbox.sendLate(responses);
      },
      fail: (remote, why) => {
        unanswered.fail(remote, why);
      },
      giveUp: (count, why) => {
        unanswered.giveUp(count, why);
      },
    };
    outbox.failed.addEventListener('abort', () => {
      this.hurry();
    });
  }

  /** Whether the responder is still taking a batch. */
  get isTaking(): boolean {
    return this.#taking > 0;
  }

  /**
   * Gives the responder a batch. Returns undefined if the responder has taken all of it, and has sent the responses that it
   * does not delay. Otherwise returns a promise that resolves then.
   *
   * @throws {RecordError} if the recording failed
   */
  give(batch: readonly Datagram[]): Promise<void> | undefined {
    const taken = this.#responder.take(this.#gate.admit(batch), this.#sink);
    if (taken === undefined) return undefined;
    this.#taking += 1;
    return taken.finally(() => {
      this.#taking -= 1;
    });
  }

  /** Sends runs back as they came, in place of {@link give}. For a responder that echoes, without faults and recording. */
  sendBack(runs: readonly Run[]): Promise<void> | undefined {
    return this.#outbox.sendBack(this.#gate.admitRuns(runs));
  }

  /** The service is about to end. It receives no more, and the responder has a few seconds to finish its work. */
  hurry(): void {
    this.#hurried.abort();
    void this.#server.endReceiving();
    this.#responder.hurry?.();
  }

  /**
   * Waits until every response was sent or given up. Call it after the last batch: the service receives no more.
   *
   * @param force gives up all responses when it is aborted
   * @throws {RecordError} if the recording failed
   */
  async settled(force: AbortSignal): Promise<void> {
    await this.#server.endReceiving();
    await this.#responder.settled?.();
    await this.#outbox.settled(this.#hurried.signal, force);
  }
}
