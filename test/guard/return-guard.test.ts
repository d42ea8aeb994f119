import { describe, expect, test } from '@jest/globals';
import { LoopGuard } from '../../src/guard/loop-guard.js';
import { ReturnGuard } from '../../src/guard/return-guard.js';

const PEER = { address: '192.0.2.1', port: 5000 };

/** A server that responds to every datagram that both guards admit, at a time that the test sets. */
class Server {
  nowMs = 1;
  readonly told: string[] = [];
  readonly #loopGuard = new LoopGuard();
  readonly #guard = new ReturnGuard(this.#loopGuard, ({ address, port }) => this.told.push(`${address}:${port}`));

  /** Asks the server, which gives this response. Returns false if a guard forbids it. */
  ask(request: string, response: string, remote = PEER): boolean {
    const datagram = { data: Buffer.from(request), remote, local: undefined, timeMs: 0 };
    if (!this.#guard.admits(datagram, this.nowMs) || !this.#loopGuard.admits(datagram, this.nowMs)) return false;
    this.#guard.sent(remote, Buffer.from(response), this.nowMs);
    return true;
  }

  /** Sends each response back to the server, from number `first` on. Returns how many got a response. */
  loop(first: number, count: number, roundMs: number): number {
    let responses = 0;
    for (let number = first; number < first + count; number += 1) {
      this.nowMs += roundMs;
      if (this.ask(String(number), String(number + 1))) responses += 1;
    }
    return responses;
  }
}

describe('a peer that sends back one new response after another', () => {
  test.each([0.01, 10, 900])('gets none after 32 of them, one every %p ms, and is told of once', (roundMs) => {
    const server = new Server();
    expect(server.ask('tick', '0')).toBe(true);
    expect(server.loop(0, 33, roundMs)).toBe(32);
    expect(server.told).toEqual(['192.0.2.1:5000']);
  });

  test('still gets responses to other datagrams, and after a second to all', () => {
    const server = new Server();
    server.ask('tick', '0');
    server.loop(0, 33, 1);
    expect(server.ask('32', '33')).toBe(false);
    expect(server.ask('hello', 'a')).toBe(true);
    server.nowMs += 500;
    expect(server.ask('a', 'b')).toBe(false);
    server.nowMs += 500;
    expect(server.ask('a', 'b')).toBe(true);
  });

  test('does not affect another peer', () => {
    const server = new Server();
    server.ask('tick', '0');
    server.loop(0, 33, 1);
    expect(server.ask('32', '33', { ...PEER, port: 5001 })).toBe(true);
  });

  test('gets one each time if it sends other datagrams now and then, or takes a second and more', () => {
    const server = new Server();
    for (let round = 0; round < 10; round += 1) {
      server.ask(`hello ${round}`, String(round * 100));
      expect(server.loop(round * 100, 32, 1)).toBe(32);
    }
    expect(server.loop(10_000, 1, 1)).toBe(1);
    expect(server.loop(10_001, 100, 1000)).toBe(100);
    expect(server.told).toEqual([]);
  });
});

describe('a client may, as often and as fast as it likes,', () => {
  test.each<[string, (server: Server, number: number) => boolean]>([
    [
      'ask something new after each response',
      (server, number) => server.ask(`request ${number}`, `response ${number}`),
    ],
    ['ask the same things again and again', (server, number) => server.ask(`${number % 256}`, `response ${number}`)],
    [
      'send back the bytes that an echo server gave it',
      (server, number) => server.ask(`${number % 256}`, `${number % 256}`),
    ],
    [
      'ask for a token, and send it back',
      (server, number) => {
        const asked = server.ask('a token', `token ${number}`);
        return server.ask(`token ${number}`, 'welcome') && asked;
      },
    ],
  ])('%s', (_what, ask) => {
    const server = new Server();
    for (let number = 0; number < 5000; number += 1) {
      server.nowMs += 11;
      if (!ask(server, number)) throw new Error(`${number} got no response`);
    }
    expect(server.told).toEqual([]);
  });
});
