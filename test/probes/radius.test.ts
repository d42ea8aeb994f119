import { describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { fc, holdsAsync } from '../support/property.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex, patched } from './fixtures/fixture.js';
import { signedReply } from './fixtures/radius.js';
import { startProbe } from './session.js';

const PROBE = 'radius:testing123';
/** The type and length of a Message-Authenticator. */
const HEAD = hex('5012');

/** Runs FreeRADIUS with one port of a kind, and with a setting for Status-Server. */
function startRadius(kind: 'auth' | 'acct', policy: string): Promise<Daemon> {
  return startDaemon({
    program: 'freeradius',
    // FreeRADIUS refuses a folder that everybody may write to. The folder of a test is one.
    files: ({ port }) => ({
      'config/radiusd.conf': `
        libdir = /usr/lib/freeradius
        security {
          status_server = yes
        }
        client here {
          ipaddr = 127.0.0.1
          secret = testing123
        }
        modules {
          always ok {
            rcode = ok
          }
          always reject {
            rcode = reject
          }
        }
        server here {
          listen {
            type = ${kind}
            ipaddr = 127.0.0.1
            port = ${port}
          }
          authorize {
            Autz-Type Status-Server {
              ${policy}
            }
          }
        }
      `,
    }),
    args: ({ folder }) => ['-f', '-l', 'stdout', '-d', `${folder}/config`],
  });
}

async function probe(address: string, text: string, { wait = '1m', env = {} } = {}) {
  const { status, stderr } = await udpcat(['send', address, '--probe', text, '-o', 'none', '-w', wait], { env });
  return { status, stderr: untimed(stderr) };
}

describeWith('freeradius', 'FreeRADIUS', () => {
  test('is up, and a secret may be in the environment', async () => {
    await using server = await startRadius('auth', 'ok');
    const up = { status: 0, stderr: 'udpcat: radius: Access-Accept\n' };
    expect(await probe(server.address, PROBE)).toEqual(up);
    expect(await probe(server.address, 'radius:env:SHARED', { env: { SHARED: 'testing123' } })).toEqual(up);
  });

  test('tells what it was told to say, signed twice', async () => {
    const policy = `update reply {
      Reply-Message := "all is well"
      Message-Authenticator := 0x00
    }
    ok`;
    await using server = await startRadius('auth', policy);
    expect(await probe(server.address, PROBE)).toEqual({
      status: 0,
      stderr: 'udpcat: radius: Access-Accept, "all is well"\n',
    });
  });

  test('is up at its port for accounting', async () => {
    await using server = await startRadius('acct', 'ok');
    expect(await probe(server.address, PROBE)).toEqual({ status: 0, stderr: 'udpcat: radius: Accounting-Response\n' });
  });

  test('says that it is not well, which is a failure', async () => {
    await using server = await startRadius('auth', 'reject');
    expect(await probe(server.address, PROBE, { wait: '6s' })).toEqual({
      status: 5,
      stderr: `udpcat: radius: Access-Reject (${server.address})\n`,
    });
  });

  test('does not reply to a request with another secret', async () => {
    await using server = await startRadius('auth', 'ok');
    // The server listens, and knows this client.
    expect(await probe(server.address, PROBE)).toMatchObject({ status: 0 });
    expect(await probe(server.address, 'radius:another', { wait: '1s' })).toEqual({
      status: 3,
      stderr: `udpcat: ${server.address} did not answer within 1s\n`,
    });
  });
});

describe('the probe radius', () => {
  test('never takes a reply made with another secret, with or without a Message-Authenticator', async () => {
    await holdsAsync(
      fc.asyncProperty(fc.string({ maxLength: 40 }), fc.boolean(), async (secret, vouched) => {
        fc.pre(secret !== 'testing123');
        const { request, judge } = await startProbe(PROBE);
        const reply = signedReply(request, { secret, vouched, attributes: vouched ? HEAD : Buffer.alloc(0) });
        expect(judge(reply).outcome).toBe('mismatch');
      }),
    );
  });

  test('accepts a reply without attributes', async () => {
    const { request, judge } = await startProbe(PROBE);
    for (const [code, name] of [
      [2, 'Access-Accept'],
      [5, 'Accounting-Response'],
    ] as const) {
      const reply = signedReply(request, { code, vouched: false, attributes: Buffer.alloc(0) });
      expect(judge(reply)).toEqual({ outcome: 'match', says: `radius: ${name}` });
    }
  });

  test('does not take what refuses, though it is signed', async () => {
    const { request, judge } = await startProbe(PROBE);
    const refusal = (code: number) => judge(signedReply(request, { code }));
    expect(refusal(3)).toEqual({ outcome: 'mismatch', says: 'radius: Access-Reject, "all is well"' });
    expect(refusal(11)).toEqual({ outcome: 'mismatch', says: 'radius: Access-Challenge, "all is well"' });
    expect(refusal(4)).toEqual({
      outcome: 'mismatch',
      says: 'radius: the reply is no message of the protocol: its code 4 is not that of a reply',
    });
  });

  test('tells the reply to another request by its identifier, and by its authenticator where that is the same', async () => {
    const { request, judge } = await startProbe(PROBE);
    const otherId = patched(request, [1, Uint8Array.of(request.readUInt8(1) ^ 1)]);
    expect(judge(signedReply(otherId)).says).toBe('radius: the reply is to another request: its identifier differs');
    const otherAuthenticator = patched(request, [4, Buffer.alloc(16)]);
    expect(judge(signedReply(otherAuthenticator)).says).toBe(
      'radius: its Response Authenticator is wrong: the secret differs, or it is a reply to another request',
    );
  });

  test('checks the Message-Authenticator wherever it stands', async () => {
    const { request, judge } = await startProbe(PROBE);
    const right = signedReply(request, { attributes: HEAD });
    expect(judge(right).outcome).toBe('match');
    const wrong = (value: Buffer) =>
      judge(signedReply(request, { vouched: false, attributes: Buffer.concat([HEAD, value]) })).says;
    expect(wrong(Buffer.alloc(16))).toMatch(/its Message-Authenticator is wrong$/);
    const short = signedReply(request, { vouched: false, attributes: hex('5003 00') });
    expect(judge(short).says).toMatch(/its Message-Authenticator is wrong$/);
  });

  test('passes over padding behind the length', async () => {
    const { request, judge } = await startProbe(PROBE);
    expect(judge(Buffer.concat([signedReply(request), hex('1203 61')])).outcome).toBe('match');
  });

  test.each([
    ['an attribute without a length', '12'],
    ['an attribute of length 0', '1200'],
    ['an attribute of length 1', '1201'],
    ['an attribute that ends behind the packet', '1204 61'],
  ])('does not take %s', async (_, attributes) => {
    const { request, judge } = await startProbe(PROBE);
    const reply = signedReply(request, { vouched: false, attributes: hex(attributes) });
    expect(judge(reply).says).toMatch(/^radius: the reply is no message of the protocol: /);
  });

  test('does not take a length that is less than the header, or more than there is', async () => {
    const { request, judge } = await startProbe(PROBE);
    for (const length of [0, 19, 52, 0xffff]) {
      const reply = patched(signedReply(request), [2, Uint8Array.of(length >> 8, length & 0xff)]);
      expect(judge(reply).says).toMatch(/^radius: the reply is no message of the protocol: /);
    }
  });
});
