import { describe, expect, test } from '@jest/globals';
import { answeringServer, closedAddress, echoServer, silentServer, strayServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { type Outcome } from '../support/udpcat.js';

type Event = Record<string, unknown>;

function eventsOf({ stdout }: Outcome): Event[] {
  return stdout
    .toString()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Event);
}

function typesOf(outcome: Outcome): unknown[] {
  return eventsOf(outcome).map(({ type }) => type);
}

describe('with -o json', () => {
  test('every line has a version, a type and a time in microseconds', async () => {
    await using server = await echoServer();
    const events = eventsOf(await udpcat(['send', server.address, 'a', 'b', '-n', '2', '-o', 'json']));
    expect(events).toHaveLength(4);
    for (const event of events) {
      expect(event).toMatchObject({
        v: 1,
        type: expect.any(String),
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      });
    }
  });

  test('a reply is a datagram with its sender', async () => {
    await using server = await answeringServer(['ä', Uint8Array.of(0xff)]);
    const events = eventsOf(await udpcat(['send', server.address, 'a', '-n', '2', '-o', 'json']));
    const client = server.received[0]?.from;
    const common = { type: 'datagram', dir: 'in', from: server.address };
    expect(events[0]).toMatchObject({ ...common, size: 2, data: 'ä' });
    expect(events[1]).toMatchObject({ ...common, size: 1, base64: '/w==' });
    expect([events[0]?.to, events[0]?.local]).toContain(client);
  });

  test('the verdict stands once, before the summary, which is last', async () => {
    await using server = await echoServer();
    const outcome = await udpcat(['send', server.address, 'a', 'b', '-n', '2', '-o', 'json']);
    expect(typesOf(outcome)).toEqual(['datagram', 'datagram', 'verdict', 'summary']);
    const [verdict, summary] = eventsOf(outcome).slice(-2);
    expect(verdict).toMatchObject({ verdict: 'ok', replies: 2, address: server.address });
    expect(summary).toMatchObject({
      sent: 2,
      received: 2,
      dropped: { kernel: 0, queue: 0, output: 0 },
      durationMs: expect.any(Number),
    });
    expect(outcome.status).toBe(0);
  });

  sideBySide('the round-trip time is that of the first reply that matches', async () => {
    const wrong = ['NOPE', 'NOPE'];
    await using server = await answeringServer((_data, nth) => (nth === 0 ? wrong : ['OK']));
    const args = ['a', '--retry', '1', '-w', '6s', '--expect', 'OK', '-o', 'json'];
    const [verdict] = eventsOf(await udpcat(['send', server.address, ...args])).slice(-2);
    expect(verdict).toMatchObject({ verdict: 'ok', replies: 1, rttMs: expect.any(Number) });
    // The time counts from the last transmission, which is three seconds after the first.
    expect(verdict?.rttMs).toBeGreaterThan(0);
    expect(verdict?.rttMs).toBeLessThan(3000);
  });

  test('a one-way send has a verdict too', async () => {
    await using server = await silentServer();
    const outcome = await udpcat(['send', server.address, 'a', '-o', 'json']);
    expect(typesOf(outcome)).toEqual(['verdict', 'summary']);
    expect(eventsOf(outcome)).toMatchObject([{ verdict: 'ok', replies: 0, address: server.address }, { sent: 1 }]);
    expect(eventsOf(outcome)[0]).not.toHaveProperty('rttMs');
  });

  test('silence has no round-trip time', async () => {
    await using server = await silentServer();
    const outcome = await udpcat(['send', server.address, 'a', '-w', '200ms', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject([
      { verdict: 'silent', replies: 0 },
      { sent: 1, received: 0 },
    ]);
    expect(eventsOf(outcome)[0]).not.toHaveProperty('rttMs');
    expect(outcome.status).toBe(3);
  });

  test('a refusal is an error event that names the peer, and a verdict', async () => {
    const address = await closedAddress();
    const outcome = await udpcat(['send', address, 'a', '-n', '1', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject([
      { type: 'error', code: 'REFUSED', peer: address },
      { type: 'verdict', verdict: 'refused', replies: 0, address },
      { type: 'summary', sent: 1 },
    ]);
    expect(outcome.status).toBe(4);
  });

  sideBySide('a wrong reply is a datagram and a verdict', async () => {
    await using server = await answeringServer(['NOPE']);
    const outcome = await udpcat(['send', server.address, 'a', '--expect', 'OK', '-w', '3s', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject([
      { type: 'datagram', data: 'NOPE' },
      { type: 'verdict', verdict: 'mismatch', replies: 0 },
      { type: 'summary', received: 1 },
    ]);
    expect(outcome.status).toBe(5);
  });

  sideBySide('a stray is an event of its own, and no datagram', async () => {
    await using server = await strayServer();
    const outcome = await udpcat(['send', server.address, 'a\nb', '-w', '3s', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject([
      { type: 'stray', from: server.strayAddress, size: 3, data: 'a\nb' },
      { type: 'verdict', verdict: 'stray', replies: 0, address: server.address },
      { type: 'summary', received: 0 },
    ]);
    expect(outcome.status).toBe(6);
  });

  test('a failure is an error event, with a summary after it', async () => {
    await using server = await silentServer();
    const outcome = await udpcat(['send', server.address, '-e', 'hex', '-o', 'json'], { stdin: '00\nzz\n' });
    expect(eventsOf(outcome)).toMatchObject([
      { type: 'error', code: 'BAD_INPUT', message: expect.stringContaining('line 2 cannot be sent') },
      { type: 'summary', sent: 1, received: 0 },
    ]);
    expect(outcome.status).toBe(1);
  });

  test('a name that cannot be resolved is an error event, with a summary after it', async () => {
    const outcome = await udpcat(['send', 'nosuch.invalid:9', 'a', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject([
      { type: 'error', code: 'NOT_FOUND' },
      { type: 'summary', sent: 0 },
    ]);
    expect(outcome.status).toBe(1);
  });

  test('nothing to send is an error event, with a summary after it', async () => {
    const outcome = await udpcat(['send', '127.0.0.1:9', '-n', '1', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject([
      { type: 'error', message: 'there was nothing to send' },
      { type: 'summary', sent: 0 },
    ]);
    expect(outcome.status).toBe(1);
  });

  sideBySide('drops of the full queue are an event, and counted', async () => {
    const replies = Array.from({ length: 50 }, (_, index) => String(index));
    await using server = await answeringServer(replies);
    const args = ['a', '-n', 'all', '-w', '3s', '--queue-size', '1', '-o', 'json'];
    const events = eventsOf(await udpcat(['send', server.address, ...args]));
    const dropped = events.filter(({ type }) => type === 'drop');
    const taken = events.filter(({ type }) => type === 'datagram');
    const lost = dropped.reduce((sum, { count }) => sum + Number(count), 0);
    expect(taken.length + lost).toBe(replies.length);
    expect(events.at(-1)).toMatchObject({ received: taken.length, dropped: { queue: lost, output: 0 } });
  });
});

describe('with --log-format json', () => {
  test('a verdict is one pino line', async () => {
    const address = await closedAddress();
    const { stderr, status } = await udpcat(['send', address, 'a', '-n', '1', '--log-format', 'json']);
    expect(stderr.split('\n')).toHaveLength(2);
    expect(JSON.parse(stderr)).toMatchObject({ level: 50, name: 'udpcat', verdict: 'refused', peer: address });
    expect(status).toBe(4);
  });

  test('a usage error is one pino line', async () => {
    const { stderr, status } = await udpcat(['send', '127.0.0.1', 'a', '--log-format', 'json']);
    expect(JSON.parse(stderr)).toMatchObject({ level: 50, code: 'USAGE' });
    expect(status).toBe(2);
  });

  test('the summary has the fields of the event', async () => {
    await using server = await echoServer();
    const args = ['a', '-n', '1', '--stats', '--log-format', 'json'];
    const { stderr } = await udpcat(['send', server.address, ...args]);
    expect(JSON.parse(stderr)).toMatchObject({
      sent: 1,
      received: 1,
      dropped: { kernel: 0, queue: 0, output: 0 },
      durationMs: expect.any(Number),
    });
  });
});
