import { describe, expect, test } from '@jest/globals';
import { startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex } from './fixtures/fixture.js';
import { startProbe } from './session.js';

/** A web site with a self-signed certificate. HTTP/3 is on by default. */
const caddyfile = (port: number): string => `{
  admin off
  skip_install_trust
  auto_https disable_redirects
}
https://localhost:${port} {
  bind 127.0.0.1
  tls internal
  respond "hello"
}
`;

describeWith('caddy', 'caddy', () => {
  test('tells the versions of QUIC that it speaks', async () => {
    await using server = await startDaemon({
      program: 'caddy',
      files: ({ port }) => ({ Caddyfile: caddyfile(port) }),
      args: () => ['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'],
      // The server keeps its certificates in the folder in which it starts.
      env: { HOME: '.' },
    });
    const { status, stderr } = await udpcat(['send', server.address, '--probe', 'quic', '-o', 'none', '-w', '1m']);
    expect({ status, stderr: untimed(stderr) }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^udpcat: quic: versions 1, [^\n]+\n$/),
    });
  });
});

test('the request is a packet of a version that nobody speaks, as long as the first one of a connection', async () => {
  const { request } = await startProbe('quic');
  expect(request.length).toBe(1200);
  expect(request.toString('hex', 0, 24)).toMatch(/^c0([\da-f]a){4}08[\da-f]{16}08[\da-f]{16}00$/);
});

describe('the judgement', () => {
  /**
   * Judges a reply written in hex. OURS and THEIRS become the connection ids, VERSION becomes the version of the
   * request.
   */
  const judged = async (reply: string) => {
    const { request, judge } = await startProbe('quic');
    const part = (from: number, to: number): string => request.toString('hex', from, to);
    const bytes = reply.replace('OURS', part(15, 23)).replace('THEIRS', part(6, 14)).replace('VERSION', part(1, 5));
    const { outcome, says } = judge(hex(bytes));
    return [outcome, says];
  };

  test.each([
    ['00000001', '1'],
    ['1a2a3a4a 00000001 6b3343cf 1a2a3a4b', '1, 2, 0x1a2a3a4b'],
    ['ff00001d ff000020 51303530', 'draft-29, draft-32, 0x51303530'],
    ['0000abcd '.repeat(14), `${Array<string>(12).fill('0x0000abcd').join(', ')} and 2 more`],
  ])('names the versions %s', async (list, names) => {
    expect(await judged(`80 00000000 08OURS 08THEIRS ${list}`)).toEqual(['match', `quic: versions ${names}`]);
  });

  test.each([
    ['80 00000000 08OURS 080000000000000000 00000001', 'the reply is to another packet: its connection ids differ'],
    ['80 00000000 080000000000000000 08THEIRS 00000001', 'the reply is to another packet: its connection ids differ'],
    ['80 00000000 00 08THEIRS 00000001', 'the reply is to another packet: its connection ids differ'],
    ['80 00000000 08OURS 08THEIRS 00000001 VERSION', 'it offers the version that it was asked with'],
    ['80 00000000 08OURS 08THEIRS 1a2a3a4a', 'it offers no version but reserved ones'],
  ])('fails %s: %s', async (reply, says) => {
    expect(await judged(reply)).toEqual(['mismatch', `quic: ${says}`]);
  });

  test.each([
    ['40 00000000 08OURS 08THEIRS 00000001', 'its header is not a long one'],
    ['c0 00000001 08OURS 08THEIRS 00000001', 'it negotiates no version'],
    ['80 00000000 08OURS 08THEIRS', 'its list of versions has 0 bytes'],
    ['80 00000000 08OURS 08THEIRS 00000001 00', 'its list of versions has 5 bytes'],
    ['80 00000000 08OURS ff THEIRS 00000001', 'it ends after 27 bytes'],
  ])('finds %s malformed', async (reply, problem) => {
    expect(await judged(reply)).toEqual(['mismatch', `quic: the reply is no message of the protocol: ${problem}`]);
  });
});
