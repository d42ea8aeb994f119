import type { Datagram, Endpoint, Outgoing } from '../net/index.js';

declare const PERMITTED: unique symbol;

/** A datagram that responds to a request. Only a {@link Sink} makes one, after its guard has permitted it. */
export interface ResponseDatagram extends Outgoing {
  /** The same object for all responses to one request; undefined for the only one. */
  readonly together?: object | undefined;
  /** Only in the type: other datagrams are no responses. */
  readonly [PERMITTED]: true;
}

/**
 * Takes the responses of a responder, and hears of requests that get none. The guard: responses that are much larger than
 * the request could flood a victim whose address the sender forged.
 */
export interface Sink {
  /** The address of the server. */
  readonly local: Endpoint;
  /** Makes the only response to a request; undefined, and counted, if the guard forbids it. */
  permit(request: Datagram, payload: Uint8Array): ResponseDatagram | undefined;
  /** Makes all responses to a request, in order; none, and counted, if the guard forbids them by their size together. */
  permitAll(request: Datagram, payloads: readonly Uint8Array[]): readonly ResponseDatagram[];
  /** Sends responses now, in this order. A responder returns this promise from {@link Responder.take}. */
  send(responses: readonly ResponseDatagram[]): Promise<void>;
  /** Sends responses now, in this order, that were not ready when {@link Responder.take} returned. */
  sendLate(responses: readonly ResponseDatagram[]): void;
  /** The response to a request failed; `why` follows "no answer to PEER: ". */
  fail(remote: Endpoint, why: string): void;
  /** Responses are given up for want of room or time; `why` follows "datagrams are left without an answer: ". */
  giveUp(count: number, why: string): void;
}

/**
 * Makes the responses of a service. It sees only requests that may get a response. It bounds its work under way in number,
 * memory and time.
 */
export interface Responder {
  /** Whether its responses can be other bytes every time, whatever the request. Default: false. */
  readonly varies?: boolean;
  /**
   * Takes a batch of requests up. The next batch comes when the promise has settled, so that a responder without room
   * keeps it waiting: then the receive queue drops the excess, and counts it.
   *
   * @param sink the same one each time
   */
  take(batch: readonly Datagram[], sink: Sink): void | Promise<void>;
  /** The service is about to end: gives up work that is not done in a few seconds. Twice is fine. */
  hurry?(): void;
  /** Resolves once no work is under way; called after the last batch. */
  settled?(): Promise<void>;
}

/** Responds to each request at once, by its bytes alone. */
export function respondEach(respond: (data: Uint8Array) => Uint8Array): Responder {
  return {
    take: (batch, sink) => {
      const responses: ResponseDatagram[] = [];
      for (const request of batch) {
        const response = sink.permit(request, respond(request.data));
        if (response !== undefined) responses.push(response);
      }
      return sink.send(responses);
    },
  };
}
