import type { Datagram, Endpoint, Outgoing } from '../net/index.js';

/** A datagram that answers a question. */
export interface Answer extends Outgoing {
  /** The same object for all that answer one question, copies included; undefined for the only one. */
  readonly together?: object | undefined;
}

/** Takes the answers that were not ready at once, and hears what becomes of datagrams that get none. */
export interface AnswerSink {
  /**
   * Whether answers of so many bytes in all may go to who asked: not if they are so much larger than the question that a
   * forged sender could be flooded with them, which is counted. Asked before any of them is sent or delayed.
   */
  permits(question: Datagram, answerBytes: number): boolean;
  /** Sends answers now, in this order. */
  send(answers: readonly Answer[]): void;
  /** The answer to a datagram failed; `why` follows "no answer to PEER: ". */
  fail(remote: Endpoint, why: string): void;
  /** Answers that are given up for want of room or time; `why` follows "datagrams are left without an answer: ". */
  giveUp(count: number, why: string): void;
}

/**
 * How a service answers. It sees only datagrams that may be answered. Whatever is under way is bounded by each of them
 * in number, memory and time.
 */
export interface Answering {
  /** Whether its answers can be other bytes every time, whatever it is asked. Default: false. */
  readonly varies?: boolean;
  /** Called once, before the first datagram. @param local the server's address */
  begin?(sink: AnswerSink, local: Endpoint): void;
  /**
   * Takes a batch up; resolves to the answers that are ready now, in the order of the datagrams. Others go to the sink
   * later. The next batch comes when it has resolved: who has no room yet keeps it waiting, and the receive queue
   * drops and counts what is too much.
   */
  answer(batch: readonly Datagram[]): readonly Answer[] | Promise<readonly Answer[]>;
  /** The service is about to end: what is under way has a few seconds more, then it is given up. Twice is fine. */
  hurry?(): void;
  /** Resolves once nothing is under way any more; called after the last batch. */
  settled?(): Promise<void>;
}

/** Answers each datagram at once, by its bytes alone. */
export function answerEach(answer: (data: Uint8Array) => Uint8Array): Answering {
  let sink: AnswerSink | undefined;
  return {
    begin: (given) => {
      sink = given;
    },
    answer: (batch) => {
      const answers: Answer[] = [];
      for (const datagram of batch) {
        const data = answer(datagram.data);
        // An answer leaves from the address that was asked, where that is known.
        const { remote, local } = datagram;
        if (sink?.permits(datagram, data.length) !== false) answers.push({ data, remote, local });
      }
      return answers;
    },
  };
}
