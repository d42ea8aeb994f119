import type { Datagram, Endpoint, Outgoing } from '../net/index.js';

declare const PERMITTED: unique symbol;

/** A response, ready to be sent. Only a {@link Sink} makes one, after its guard has permitted it. */
export interface ResponseDatagram extends Outgoing {
  /** The same object for all responses to one request. Undefined if the request has only one response. */
  readonly together?: object | undefined;
  /** Exists in the type only: the compiler refuses a datagram that the guard has not permitted. */
  readonly [PERMITTED]: true;
}

/**
 * Takes the responses of a responder, and hears of requests that get none. Its guard forbids responses that are much
 * larger than the request: a forged sender address would make the server flood a victim.
 */
export interface Sink {
  /** The address of the server. */
  readonly local: Endpoint;
  /**
   * Makes the only response to a request. Returns undefined, and counts the request, if the guard forbids the response.
   */
  permit(request: Datagram, payload: Uint8Array): ResponseDatagram | undefined;
  /**
   * Makes all responses to a request, in order. Returns none, and counts the request, if the guard forbids them
   * together.
   */
  permitAll(request: Datagram, payloads: readonly Uint8Array[]): readonly ResponseDatagram[];
  /**
   * Sends responses now, in this order. A responder returns the result from {@link Responder.take}: undefined if all were sent
   * already.
   */
  send(responses: readonly ResponseDatagram[]): Promise<void> | undefined;
  /** Sends responses now, in this order. For responses that were not ready when {@link Responder.take} returned. */
  sendLate(responses: readonly ResponseDatagram[]): void;
  /** Logs that the response to a request failed. @param why completes the message "no answer to PEER: " */
  fail(remote: Endpoint, why: string): void;
  /**
   * Counts responses that are given up for lack of room or time.
   *
   * @param why Completes the message "datagrams are left without an answer: ".
   */
  giveUp(count: number, why: string): void;
}

/**
 * Makes the responses of a service. It gets only requests that may have a response. It bounds its unfinished work in
 * number, memory and time.
 */
export interface Responder {
  /** Whether each response is its request. A service then need not call {@link take}. Default: false. */
  readonly echoes?: boolean;
  /** Whether equal requests can get different responses. Default: false. */
  readonly varies?: boolean;
  /**
   * Takes a batch of requests. Returns undefined if it took all already. The next batch comes only when the promise has settled. A responder without room lets
   * its promise wait; then the receive queue fills, drops the excess, and counts it.
   *
   * @param sink The same object in each call.
   */
  take(batch: readonly Datagram[], sink: Sink): Promise<void> | undefined;
  /**
   * Gives up work that takes longer than a few seconds. Called when the service is about to end; may be called twice.
   */
  hurry?(): void;
  /** Resolves when all work is done. Called after the last batch. */
  settled?(): Promise<void>;
}

/**
 * Makes a responder that responds to each request at once.
 *
 * @param respond makes a response from the payload of a request
 */
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
