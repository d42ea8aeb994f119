import { crc32 } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { closedPort } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex } from './fixtures/fixture.js';
import { startProbe } from './session.js';

/** Runs coturn on both loopback addresses, with further options. */
function startTurnServer(...more: readonly string[]): Promise<Daemon> {
  return startDaemon({
    program: 'turnserver',
    args: ({ port, folder }) => [
      ...['-n', '--listening-ip=127.0.0.1', '--listening-ip=::1', `--listening-port=${port}`, '--relay-threads=1'],
      ...['--no-tcp', '--no-tls', '--no-dtls', '--no-cli', '--no-rfc5780', '--log-file=stdout'],
      ...[`--pidfile=${folder}/pid`, `--userdb=${folder}/users`, ...more],
    ],
  });
}

/** Repeats the request, because coturn binds one loopback address after the other. */
async function probe(address: string, more: readonly string[], wait = '1m') {
  const args = ['send', address, '--probe', 'stun', '-w', wait, '--retry', '200', ...more];
  const { status, stdout, stderr } = await udpcat(args);
  return { status, stdout: stdout.toString(), stderr: untimed(stderr) };
}

describeWith('turnserver', 'coturn', () => {
  test('tells the address it sees over IPv4', async () => {
    await using server = await startTurnServer('--stun-only', '--no-auth');
    const port = await closedPort();
    expect(await probe(server.address, ['--bind', `127.0.0.1:${port}`, '-o', 'none'])).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        new RegExp(`^udpcat: stun: mapped address 127\\.0\\.0\\.1:${port}, software "Coturn-[^"]+"\\n$`),
      ),
    });
  });

  test('tells the address it sees over IPv6', async () => {
    await using server = await startTurnServer('--stun-only', '--no-auth');
    const port = await closedPort(6);
    expect(await probe(`[::1]:${server.port}`, ['--bind', `[::1]:${port}`, '-o', 'none'])).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        new RegExp(`^udpcat: stun: mapped address \\[::1\\]:${port}, software "Coturn-[^"]+"\\n$`),
      ),
    });
  });

  test('gives a fingerprint that is right', async () => {
    await using server = await startTurnServer('--stun-only', '--no-auth', '--fingerprint', '--no-software-attribute');
    expect(await probe(server.address, ['-o', 'hex'])).toEqual({
      status: 0,
      stdout: expect.stringMatching(/80280004[\da-f]{8}\n$/),
      stderr: expect.stringMatching(/^udpcat: stun: mapped address 127\.0\.0\.1:\d+[^\n]*\n$/),
    });
  });

  test('says why it does not tell', async () => {
    await using server = await startTurnServer('--secure-stun', '--lt-cred-mech', '--realm=example.org', '--user=a:b');
    expect(await probe(server.address, ['-o', 'none'], '5s')).toMatchObject({
      status: 5,
      stderr: `udpcat: stun: error 401 Unauthorized (${server.address})\n`,
    });
  });
});

describe('the probe stun', () => {
  /** Makes a message with the transaction id of the request. */
  const message = (request: Buffer, type: string, ...attributes: readonly string[]): Buffer => {
    const body = hex(attributes.join(''));
    const head = Buffer.concat([hex(`${type}0000`), request.subarray(4, 20)]);
    head.writeUInt16BE(body.length, 2);
    return Buffer.concat([head, body]);
  };
  /** Makes the same message with a fingerprint at its end. */
  const withFingerprint = (request: Buffer, ...attributes: readonly string[]): Buffer => {
    const whole = message(request, '0101', ...attributes, '80280004', '00000000');
    whole.writeUInt32BE((crc32(whole.subarray(0, -8)) ^ 0x5354_554e) >>> 0, whole.length - 4);
    return whole;
  };
  /** Two addresses: 198.51.100.7:3478 as it is, and 192.0.2.1:3478 XORed with the cookie. */
  const MAPPED = '0001 0008 0001 0d96 c6336407';
  const XOR_MAPPED = '0020 0008 0001 2c84 e112a643';

  test('takes the address that nobody could rewrite before the other', async () => {
    const { request, judge } = await startProbe('stun');
    expect(judge(message(request, '0101', MAPPED, XOR_MAPPED))).toEqual({
      outcome: 'match',
      says: 'stun: mapped address 192.0.2.1:3478',
    });
  });

  test('takes what a server of RFC 3489 tells, with its other addresses', async () => {
    const { request, judge } = await startProbe('stun');
    const others = ['0004 0008 0001 0d96 7f000001', '0005 0008 0001 0d97 7f000002'];
    expect(judge(message(request, '0101', MAPPED, ...others))).toEqual({
      outcome: 'match',
      says: 'stun: mapped address 198.51.100.7:3478',
    });
  });

  test('reads an IPv6 address, combined with the transaction id as well', async () => {
    const { request, judge } = await startProbe('stun');
    const masked = hex('20010db8000000000000000000000001').map((octet, index) => octet ^ request.readUInt8(4 + index));
    expect(judge(message(request, '0101', '0020 0014 0002 2c84', Buffer.from(masked).toString('hex')))).toEqual({
      outcome: 'match',
      says: 'stun: mapped address [2001:db8::1]:3478',
    });
  });

  test('says which error it is', async () => {
    const { request, judge } = await startProbe('stun');
    const errors = [
      ['0009 000f 00000400 42616420526571756573 74 00', 'stun: error 400 Bad Request'],
      ['0009 0004 00000614', 'stun: error 620'],
    ] as const;
    for (const [attribute, says] of errors) {
      expect(judge(message(request, '0111', attribute))).toEqual({ outcome: 'mismatch', says });
    }
    expect(judge(message(request, '0111')).says).toMatch(/it is an error without a code$/);
  });

  test('takes a right fingerprint only, at the end only', async () => {
    const { request, judge } = await startProbe('stun');
    const right = withFingerprint(request, XOR_MAPPED);
    expect(judge(right).outcome).toBe('match');
    const wrong = Buffer.from(right);
    wrong.writeUInt8(right.readUInt8(right.length - 1) ^ 1, right.length - 1);
    expect(judge(wrong).says).toMatch(/its fingerprint is wrong$/);
    const more = Buffer.concat([right, hex(XOR_MAPPED)]);
    more.writeUInt16BE(more.length - 20, 2);
    expect(judge(more).says).toMatch(/its fingerprint is wrong$/);
  });

  test('passes over an attribute that it does not know, unless that must be understood', async () => {
    const { request, judge } = await startProbe('stun');
    expect(judge(message(request, '0101', XOR_MAPPED, '8fff 0001 61000000')).outcome).toBe('match');
    expect(judge(message(request, '0101', XOR_MAPPED, '7fff 0001 61000000'))).toEqual({
      outcome: 'mismatch',
      says: 'stun: an attribute that must be understood is not: 0x7fff',
    });
  });

  test.each([
    ['without an address', '0101', ''],
    ['with an address of another family', '0101', '0020 0008 0003 2c84 e112a643'],
    ['with an IPv4 address of five bytes', '0101', '0020 0009 0001 2c84 e112a643 00 000000'],
    ['with an IPv6 address of four bytes', '0101', '0020 0008 0002 2c84 e112a643'],
    ['with an attribute that is not filled up', '0101', `${XOR_MAPPED} 8022 0001 61`],
    ['that is an indication', '0011', XOR_MAPPED],
    ['of another method', '0103', XOR_MAPPED],
  ])('does not take a message %s', async (_, type, attributes) => {
    const { request, judge } = await startProbe('stun');
    expect(judge(message(request, type, attributes)).says).toMatch(/^stun: the reply is no message of the protocol: /);
  });

  test('does not take another cookie, another length, nor another transaction', async () => {
    const { request, judge } = await startProbe('stun');
    const changed = (at: number) => {
      const reply = message(request, '0101', XOR_MAPPED);
      reply.writeUInt8(reply.readUInt8(at) ^ 4, at);
      return judge(reply).says;
    };
    expect(changed(3)).toMatch(/it says 8 bytes of attributes, not 12$/);
    expect(changed(7)).toMatch(/its magic cookie is wrong$/);
    expect(changed(19)).toBe('stun: the reply is to another request: its transaction id differs');
  });
});
