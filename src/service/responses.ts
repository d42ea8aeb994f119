import { amplifies } from '../guard/amplification.js';
import { ResponsePolicy } from '../guard/response-policy.js';
import { MAX_CORRUPTED } from '../guard/limits.js';
import { isLoopback } from '../net/address/endpoint.js';
import { type Datagram, type DatagramServer, type Endpoint, formatEndpoint } from '../net/index.js';
import type { Responder, ResponseDatagram, Sink } from '../responders/responder.js';
import type { Context } from '../run/context.js';
import type { Outbox } from './outbox.js';
import type { ServicePlan } from './plan.js';
import type { Unanswered } from './unanswered.js';

/** Decides which requests get a response: by the policy before a responder sees them, and by the size of the responses. */
export class Gate {
  readonly #policy: ResponsePolicy;
  readonly #unanswered: Unanswered;
  /** How often a response may be sent at most; 0 if its size does not matter. */
  readonly #copies: number;

  constructor(plan: ServicePlan, policy: ResponsePolicy, unanswered: Unanswered) {
    this.#policy = policy;
    this.#unanswered = unanswered;
    const mayAmplify = plan.allow !== undefined || plan.amplify === true;
    this.#copies = mayAmplify ? 0 : plan.duplicate === undefined ? 1 : 2;
  }

  /** The requests of a batch that may get a response; the others are counted. */
  admit(batch: readonly Datagram[]): readonly Datagram[] {
    const admitted = batch.filter((datagram) => this.#policy.permits(datagram));
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

  /** Whether responses of so many bytes in all would flood the victim of a forged sender; counted, and told, if so. */
  #isAmplified(request: Datagram, responseBytes: number): boolean {
    if (!amplifies(request.data.length, responseBytes * this.#copies) || isLoopback(request.remote.address))
      return false;
    this.#unanswered.amplifies(request, responseBytes);
    return true;
  }
}

/** A response leaves from the address that was asked, where that is known. */
function respondTo({ remote, local }: Datagram, data: Uint8Array, together?: object): ResponseDatagram {
  return { data, remote, local, together } as ResponseDatagram;
}

/** The policy of a service, which decides by the sender of a request and by earlier ones. */
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
        : tellOfLoops(context, `more than ${MAX_CORRUPTED} answers to it were corrupted in one`),
    onReturnLoop: varies === true ? tellOfLoops(context, 'it sent back one answer after another') : undefined,
  });
}

/** Tells of the first peer that gets no response because the traffic with it looks like a loop. */
function tellOfLoops({ log }: Context, why: string): (peer: Endpoint) => void {
  let told = false;
  return (peer) => {
    if (!told) {
      log.warn(
        `${formatEndpoint(peer)} is not answered for a second: ${why}, as where two servers answer each other; ` +
          '--no-loop-guard lifts that',
      );
    }
    told = true;
  };
}

/** Has a responder respond to the requests that the gate admits. All its responses pass the gate, and the outbox. */
export class Responses {
  readonly #server: DatagramServer;
  readonly #responder: Responder;
  readonly #gate: Gate;
  readonly #outbox: Outbox;
  readonly #sink: Sink;
  /** Aborted when the service is about to end. */
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

  /** Whether datagrams of a batch still wait to be taken up. */
  get isTaking(): boolean {
    return this.#taking > 0;
  }

  /**
   * Gives the responder a batch; resolves once all of it is taken up, and the responses that were ready at once are sent.
   *
   * @throws {RecordError} if the recording takes no more
   */
  async give(batch: readonly Datagram[]): Promise<void> {
    const requests = this.#gate.admit(batch);
    this.#taking += 1;
    try {
      await this.#responder.take(requests, this.#sink);
    } finally {
      this.#taking -= 1;
    }
  }

  /** Receives no more, and gives requests that have arrived and work that is under way only a few seconds yet. */
  hurry(): void {
    this.#hurried.abort();
    void this.#server.endReceiving();
    this.#responder.hurry?.();
  }

  /**
   * Receives no more; resolves once every response was sent or given up. Called after the last batch.
   *
   * @param force gives up all responses at once
   * @throws {RecordError} if the recording took no more
   */
  async settled(force: AbortSignal): Promise<void> {
    await this.#server.endReceiving();
    await this.#responder.settled?.();
    await this.#outbox.settled(this.#hurried.signal, force);
  }
}
