import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex, patched } from './fixtures/fixture.js';
import { startProbe } from './session.js';

/** Runs a probe against a service that replies. */
async function probe(address: string, text: string, options: readonly string[] = ['-w', '1m']) {
  const { status, stderr } = await udpcat(['send', address, '--probe', text, '-o', 'none', ...options]);
  return { status, stderr: untimed(stderr) };
}

describeWith('coap-server-notls', 'coap-server-notls', () => {
  let server: Daemon;

  beforeAll(async () => {
    server = await startDaemon({
      program: 'coap-server-notls',
      args: ({ port }) => ['-A', '127.0.0.1', '-p', String(port), '-v', '7'],
    });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('answers a ping', async () => {
    // The server limits its Resets: now and then a ping gets none, and is sent again.
    expect(await probe(server.address, 'coap', ['-w', '1m', '--retry', '120'])).toEqual({
      status: 0,
      stderr: 'udpcat: coap: answered the ping\n',
    });
  });

  test('tells its resources', async () => {
    expect(await probe(server.address, 'coap:/.well-known/core')).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^udpcat: coap: 2\.05 Content, \d{3} bytes\n$/),
    });
  });

  test('does not find what is not there', async () => {
    expect(await probe(server.address, 'coap:/nothing/here', ['-w', '3s'])).toEqual({
      status: 5,
      stderr: `udpcat: coap: 4.04 Not Found (${server.address})\n`,
    });
  });

  test('acknowledges at once and responds later, which is waited for', async () => {
    expect(await probe(server.address, 'coap:/async?1')).toEqual({
      status: 0,
      stderr: 'udpcat: coap: 2.05 Content, 4 bytes\n',
    });
  });
});

describe('a ping', () => {
  const judged = async (reply: string) => {
    const { request, judge } = await startProbe('coap');
    expect(request.toString('hex')).toMatch(/^4000.{4}$/);
    const { outcome, says } = judge(patched(hex(reply), [2, request.subarray(2)]));
    return [outcome, says];
  };

  test.each([
    ['4000 0000', 'it is no Reset, but 0.00'],
    ['6000 0000', 'it is no Reset, but 0.00'],
    ['6045 0000', 'it is no Reset, but 2.05'],
    ['7045 0000', 'it is a Reset that is not empty'],
    ['7800 0000', 'its options or its payload are cut short'],
    ['7000 0000 00', 'its token, its options or its payload cannot be read'],
    ['b000 0000', 'its version is 2, not 1'],
  ])('fails with %s', async (reply, problem) => {
    expect(await judged(reply)).toEqual(['mismatch', `coap: the reply is no message of the protocol: ${problem}`]);
  });

  test('fails with the Reset of another message', async () => {
    const { request, judge } = await startProbe('coap');
    const other = patched(hex('7000 0000'), [2, request.subarray(2).map((byte) => ~byte)]);
    expect(judge(other).says).toBe('coap: the reply is to another message: its id differs');
  });
});

describe('a GET', () => {
  test.each([
    ['/', ''],
    ['/time', 'b4 74696d65'],
    ['/a/b', 'b1 61 01 62'],
    ['/a/', 'b1 61 00'],
    ['/a%2Fb%C3%BC', 'b5 612f62c3bc'],
    ['/a?b=1&c?', 'b1 61 43 623d31 02 633f'],
    ['/?', 'd0 02'],
  ])('of %s writes it as options', async (path, options) => {
    const { request } = await startProbe(`coap:${path}`);
    expect(request.subarray(0, 2)).toEqual(hex('4801'));
    expect(request.subarray(12)).toEqual(hex(options));
  });

  test.each(['time', '/%zz', '/%ff', `/${'a'.repeat(256)}`, '/a'.repeat(451)])('is not made of %s', async (path) => {
    await expect(startProbe(`coap:${path}`)).rejects.toThrow('it must be - or a path such as /.well-known/core');
  });

  /** Judges a reply written in hex. ID and TOKEN in it become those of the request. */
  const judged = async (reply: string) => {
    const { request, judge } = await startProbe('coap:/time');
    const [id, token] = [request.toString('hex', 2, 4), request.toString('hex', 4, 12)];
    return judge(hex(reply.replace('ID', id).replace('TOKEN', token)));
  };

  test.each([
    ['6845 ID TOKEN', '2.05 Content, 0 bytes'],
    ['6845 ID TOKEN c0 ff 00 01', '2.05 Content, 2 bytes'],
    ['6843 ID TOKEN', '2.03 Valid, 0 bytes'],
    ['685e ID TOKEN', '2.30, 0 bytes'],
  ])('takes the response %s', async (reply, says) => {
    expect(await judged(reply)).toEqual({ outcome: 'match', says: `coap: ${says}` });
  });

  test('waits for the response after an empty acknowledgement', async () => {
    expect(await judged('6000 ID')).toEqual({
      outcome: 'pending',
      says: 'coap: acknowledged, and the response is to follow',
    });
  });

  test('acknowledges a response that came on its own, if it is confirmable', async () => {
    expect(await judged('4845 1234 TOKEN')).toMatchObject({ outcome: 'match', followUp: hex('6000 1234') });
    expect(await judged('4884 1234 TOKEN')).toMatchObject({ outcome: 'mismatch', followUp: hex('6000 1234') });
    expect(await judged('5845 1234 TOKEN')).toEqual({ outcome: 'match', says: 'coap: 2.05 Content, 0 bytes' });
  });

  test.each([
    ['6884 ID TOKEN ff 4e6f', '4.04 Not Found'],
    ['68a3 ID TOKEN', '5.03 Service Unavailable'],
    ['689f ID TOKEN', '4.31'],
    ['6840 ID TOKEN', 'the code of the reply is 2.00, which is no code of a response'],
    ['6841 ID TOKEN', 'the code of the reply is 2.01 Created, which is no response to a GET'],
    ['6844 ID TOKEN ff 4e6f', 'the code of the reply is 2.04 Changed, which is no response to a GET'],
    ['685f ID TOKEN', 'the code of the reply is 2.31 Continue, which is no response to a GET'],
    ['7000 ID', 'the request was rejected with a Reset'],
    ['6845 ID 0000000000000000', 'the reply is to another request: its token differs'],
    ['4845 1234 0000000000000000', 'the reply is to another request: its token differs'],
    ['6045 ID', 'the reply is to another request: its token differs'],
  ])('fails by %s', async (reply, says) => {
    expect(await judged(reply)).toEqual({ outcome: 'mismatch', says: `coap: ${says}` });
  });

  test('fails by the acknowledgement of another message', async () => {
    const { request, judge } = await startProbe('coap:/time');
    const otherId = request.subarray(2, 4).map((byte) => ~byte);
    for (const reply of [hex('6000 0000'), hex('7000 0000'), hex('6045 0000')]) {
      expect(judge(patched(reply, [2, otherId])).says).toBe('coap: the reply is to another message: its id differs');
    }
  });

  test.each([
    ['6845 ID TOKEN ff', 'its options or its payload are cut short'],
    ['6845 ID TOKEN c5 00', 'its options or its payload are cut short'],
    ['6845 ID', 'its options or its payload are cut short'],
    ['6845 ID TOKEN f0', 'its token, its options or its payload cannot be read'],
    ['6845 ID TOKEN cf', 'its token, its options or its payload cannot be read'],
    ['6801 ID TOKEN', 'its code is 0.01, which is no response'],
    ['6865 ID TOKEN', 'its code is 3.05, which is no response'],
    ['4000 ID', 'its code is 0.00, which is no response'],
    ['7845 ID TOKEN', 'it is a Reset that is not empty'],
  ])('finds %s malformed', async (reply, problem) => {
    expect(await judged(reply)).toEqual({
      outcome: 'mismatch',
      says: `coap: the reply is no message of the protocol: ${problem}`,
    });
  });
});
