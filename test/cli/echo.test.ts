import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { sendAsIfFrom, testWithRawSockets, mayBindServicePorts } from '../support/raw.js';
import { drained, jsonLines, sendAll } from '../support/service.js';
import { hostAndPort, type Peer, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { type Outcome } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));
const texts = (peer: Peer): string[] => peer.received.map(({ data }) => data.toString());

/** The summary at the end of the output of `--stats --log-format json`. */
function summary({ stderr }: Outcome): Readonly<Record<string, unknown>> {
  return jsonLines(stderr).at(-1) ?? {};
}

/** Starts a server with a summary in JSON. */
async function startSummed(args: readonly string[]) {
  const running = start([...args, '--stats', '--log-format', 'json']);
  const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
  return { running, address: (JSON.parse(line) as { address: string }).address };
}

describe('echo', () => {
  test('sends every datagram back, also empty ones, and writes nothing', async () => {
    const payloads = ['hello\n', '', Uint8Array.from({ length: 256 }, (_, byte) => byte), 'one\ntwo', ''];
    await using running = start(['echo', '-c', String(payloads.length)]);
    await using peer = await silentServer();
    const address = await running.listening();
    await sendAll(peer, address, payloads);
    const answers = await peer.collect(payloads.length);
    expect(answers).toEqual(payloads.map((payload) => ({ data: Buffer.from(payload as string), from: address })));
    const { status, stdout, stderr } = await running.outcome;
    expect({ status, stdout: stdout.toString(), stderr }).toEqual({
      status: 0,
      stdout: '',
      stderr: `udpcat: listening on ${address}\n`,
    });
  });

  test.each([
    { family: 4 as const, bind: '127.0.0.1:0', host: '127.0.0.1', bytes: 65_507 },
    { family: 6 as const, bind: '[::1]:0', host: '[::1]', bytes: 65_527 },
    { family: 4 as const, bind: '*:0', host: '127.0.0.1', bytes: 65_507 },
    { family: 6 as const, bind: '*:0', host: '[::1]', bytes: 65_527 },
  ])('on $bind answers $bytes bytes of IPv$family whole', async ({ family, bind, host, bytes }) => {
    const payload = randomBytes(bytes);
    await using running = start(['echo', bind]);
    await using peer = await silentServer(family);
    await peer.send(payload, `${host}:${hostAndPort(await running.listening()).port}`);
    expect((await peer.collect(1))[0]?.data.equals(payload)).toBe(true);
  });

  test('answers send, and its status is the verdict', async () => {
    await using running = start(['echo']);
    const outcome = await udpcat(['send', await running.listening(), 'ping', '--expect-exact', 'ping']);
    expect(outcome).toMatchObject({ status: 0, stdout: Buffer.from('ping\n') });
  });

  test.each([
    { args: ['-o', 'utf8'], expected: 'hello\n' },
    { args: ['-x'], expected: '68656c6c6f\n' },
    { args: ['-o', 'raw'], expected: 'hello' },
  ])('shows what arrives with $args', async ({ args, expected }) => {
    await using running = start(['echo', ...args, '-c', '1']);
    await using peer = await silentServer();
    await peer.send('hello', await running.listening());
    expect((await running.outcome).stdout.toString()).toBe(expected);
    await peer.collect(1);
  });

  test('writes received datagrams, and not its responses, with -o json', async () => {
    await using running = start(['echo', '-o', 'json', '-c', '1']);
    await using peer = await silentServer();
    await peer.send('hello', await running.listening());
    expect(jsonLines((await running.outcome).stdout)).toMatchObject([
      { type: 'listening' },
      { type: 'datagram', dir: 'in', from: peer.address, data: 'hello' },
      { type: 'summary', received: 1, sent: 1 },
    ]);
  });
});

describe('two servers that answer each other', () => {
  /** The datagrams that go round. After two rounds a hundred got a response, which takes much less than a second. */
  const COPIES = 50;

  sideBySide(
    'fall silent, though something between them carries everything over, and count what they left',
    async () => {
      // They end by --idle. If the loop went on, they would never end.
      const one = await startSummed(['echo', '--idle', '6s']);
      await using first = one.running;
      const two = await startSummed(['serve', '--reply', 'tick', '--idle', '6s', '-o', 'none']);
      await using second = two.running;
      const relay = createSocket('udp4');
      try {
        const { port } = hostAndPort(one.address);
        relay.on('message', (data, from) => {
          relay.send(data, from.port === port ? hostAndPort(two.address).port : port, '127.0.0.1');
        });
        relay.bind(0, '127.0.0.1');
        await once(relay, 'listening');
        for (let copy = 0; copy < COPIES; copy += 1) relay.send('tick', port, '127.0.0.1');
        const [outcome, other] = await Promise.all([first.outcome, second.outcome]);
        expect(outcome.status).toBe(0);
        expect(summary(outcome)).toMatchObject({ received: 100 + COPIES, sent: 100, unanswered: COPIES });
        expect(summary(other)).toMatchObject({ received: 100, sent: 100 });
      } finally {
        relay.close();
      }
    },
  );

  testWithRawSockets('become silent if a forged sender starts the loop', async () => {
    const one = await startSummed(['echo', '--idle', '6s']);
    await using first = one.running;
    const two = await startSummed(['echo', '--idle', '6s']);
    await using second = two.running;
    sendAsIfFrom(hostAndPort(two.address).port, one.address, 'tick', COPIES);
    const [outcome, other] = await Promise.all([first.outcome, second.outcome]);
    expect(summary(outcome)).toMatchObject({ received: 100 + COPIES, sent: 100, unanswered: COPIES });
    expect(summary(other)).toMatchObject({ received: 100, sent: 100 });
  });
});

describe('of datagrams from one peer, an answering server', () => {
  test.each([['echo'], ['serve', '--reply', 'pong', '-o', 'none']])(
    '(%s) answers at most 100 identical ones in a second, and all that are numbered',
    async (...args) => {
      const { running, address } = await startSummed(args);
      await using server = running;
      await using looping = await silentServer();
      await using numbering = await silentServer();
      await sendAll(looping, address, Array<string>(150).fill('same'));
      await sendAll(numbering, address, numbers(400));
      expect(await numbering.collect(400)).toHaveLength(400);
      server.kill('SIGTERM');
      expect(summary(await server.outcome)).toMatchObject({ received: 550, sent: 500, unanswered: 50 });
      expect(await looping.collect(100)).toHaveLength(100);
    },
  );

  test('answers all different ones, also if each ends in its own CRC-32, so that all have the same CRC-32', async () => {
    await using running = start(['echo']);
    const address = await running.listening();
    await using peer = await silentServer();
    const payloads = numbers(300).map((number) => {
      const crc = Buffer.alloc(4);
      crc.writeUInt32LE(crc32(number.padStart(8)));
      return Buffer.concat([Buffer.from(number.padStart(8)), crc]);
    });
    expect(new Set(payloads.map((payload) => crc32(payload))).size).toBe(1);
    await sendAll(peer, address, payloads);
    expect((await peer.collect(300)).map(({ data }) => data)).toEqual(payloads);
  });

  test('counts the same bytes of each peer by itself', async () => {
    await using running = start(['echo']);
    const address = await running.listening();
    await using one = await silentServer();
    await using two = await silentServer();
    await sendAll(one, address, Array<string>(100).fill('same'));
    await sendAll(two, address, Array<string>(100).fill('same'));
    await Promise.all([one.collect(100), two.collect(100)]);
  });

  test('answers all identical ones with --no-loop-guard', async () => {
    await using running = start(['echo', '--no-loop-guard', '-c', '250']);
    await using peer = await silentServer();
    await sendAll(peer, await running.listening(), Array<string>(250).fill('same'));
    expect(await peer.collect(250)).toHaveLength(250);
  });

  testWithProc('answers each peer as often as --rate-limit says', async () => {
    const { running, address } = await startSummed(['echo', '--rate-limit', '0.01/s']);
    await using server = running;
    await using one = await silentServer();
    await using two = await silentServer();
    await sendAll(one, address, numbers(10));
    await sendAll(two, address, numbers(10));
    await drained(address);
    server.kill('SIGTERM');
    expect(summary(await server.outcome)).toMatchObject({ received: 20, sent: 2, unanswered: 18 });
    await Promise.all([one.collect(1), two.collect(1)]);
    expect([texts(one), texts(two)]).toEqual([['0'], ['0']]);
  });

  test.each(['1000/s', '50k/s', 'max'])('answers all of a few under --rate-limit %s', async (rate) => {
    await using running = start(['echo', '--rate-limit', rate]);
    await using peer = await silentServer();
    await sendAll(peer, await running.listening(), numbers(50));
    await peer.collect(50);
  });
});

describe('a datagram from a port below 1024', () => {
  const testFromServicePort = (name: string, run: () => Promise<void>): void => {
    if (mayBindServicePorts()) test(name, run);
    else test.skip(`${name} (skipped: this user may not bind ports below 1024)`, run);
  };

  /** Sends from a port below 1024, then from one that gets a response. Responses come in order: so the second one is the end. */
  async function fromServicePort(args: readonly string[]): Promise<{ answered: string[]; totals: unknown }> {
    const { running, address } = await startSummed(args);
    await using server = running;
    await using ordinary = await silentServer();
    const socket = createSocket('udp4');
    const answered: string[] = [];
    socket.on('message', (data) => answered.push(data.toString()));
    try {
      await bindServicePort(socket);
      const { host, port } = hostAndPort(address);
      await new Promise((resolve) => {
        socket.send('from a service', port, host, resolve);
      });
      await ordinary.send('fence', address);
      await ordinary.collect(1);
      server.kill('SIGTERM');
      const totals = summary(await server.outcome);
      if (totals.sent === 2 && answered.length === 0) await once(socket, 'message');
      return { answered, totals };
    } finally {
      socket.close();
    }
  }

  async function bindServicePort(socket: ReturnType<typeof createSocket>): Promise<void> {
    for (let port = 1023; ; port -= 1) {
      const bound = once(socket, 'listening');
      socket.bind(port, '127.0.0.1');
      try {
        await bound;
        return;
      } catch (error) {
        if (port === 900) throw error;
      }
    }
  }

  testFromServicePort('is not answered by echo, and counted', async () => {
    const { answered, totals } = await fromServicePort(['echo']);
    expect(totals).toMatchObject({ received: 2, sent: 1, unanswered: 1 });
    expect(answered).toEqual([]);
  });

  testFromServicePort('is not answered by serve --reply, and still written', async () => {
    const { answered, totals } = await fromServicePort(['serve', '--reply', 'pong']);
    expect(totals).toMatchObject({ received: 2, sent: 1, unanswered: 1 });
    expect(answered).toEqual([]);
  });

  testFromServicePort('is answered with --answer-service-ports', async () => {
    const { answered, totals } = await fromServicePort(['echo', '--answer-service-ports']);
    expect(totals).toMatchObject({ received: 2, sent: 2 });
    expect(answered).toEqual(['from a service']);
  });
});

describe('a datagram whose sender is forged', () => {
  testWithRawSockets('as the server itself is not answered', async () => {
    for (const bind of ['0', '*:0', '0.0.0.0:0']) {
      const { running, address } = await startSummed(['echo', bind]);
      await using server = running;
      const { port } = hostAndPort(address);
      await using ordinary = await silentServer();
      sendAsIfFrom(port, `127.0.0.1:${port}`, 'myself');
      await ordinary.send('fence', `127.0.0.1:${port}`);
      await ordinary.collect(1);
      server.kill('SIGTERM');
      expect(summary(await server.outcome)).toMatchObject({ received: 2, sent: 1, unanswered: 1 });
    }
  });

  testWithRawSockets('as port 0 is not answered, and does not end the server', async () => {
    const { running, address } = await startSummed(['echo', '--answer-service-ports', '-c', '2']);
    await using server = running;
    await using ordinary = await silentServer();
    sendAsIfFrom(0, address, 'from nowhere');
    await ordinary.send('fence', address);
    await ordinary.collect(1);
    const outcome = await server.outcome;
    expect(outcome.status).toBe(0);
    expect(summary(outcome)).toMatchObject({ received: 2, sent: 1, unanswered: 1 });
  });
});

test('requests without a response are counted in both summaries, for people and for -o json', async () => {
  await using running = start(['echo', '--stats', '-o', 'json', '-c', '101']);
  await using peer = await silentServer();
  await sendAll(peer, await running.listening(), Array<string>(101).fill('same'));
  const { stdout, stderr } = await running.outcome;
  expect(stderr).toMatch(/101 received, 100 sent, 1 not answered in/);
  expect(jsonLines(stdout).at(-1)).toMatchObject({ type: 'summary', unanswered: 1 });
});
