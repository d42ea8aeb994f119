import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ProbeSession } from '../../src/probes/session.js';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { sip } from './fixtures/sip.js';
import { startProbe } from './session.js';

/** Runs a probe against a service that replies. */
async function probe(address: string, text: string, wait = '1m') {
  const { status, stderr } = await udpcat(['send', address, '--probe', text, '-o', 'none', '-w', wait]);
  return { status, stderr: untimed(stderr) };
}

/** A server that replies 200 to all requests, except for the user "down". */
const KAMAILIO = `#!KAMAILIO
debug=1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
loadmodule "sl.so"
loadmodule "pv.so"
request_route {
  if ($rU == "down") sl_send_reply("503", "Service Unavailable");
  else sl_send_reply("200", "OK");
}
`;

describeWith('kamailio', 'kamailio', () => {
  let server: Daemon;

  beforeAll(async () => {
    server = await startDaemon({
      program: 'kamailio',
      files: () => ({ 'kamailio.cfg': KAMAILIO }),
      args: ({ port, folder }) => [
        ...['-DD', '-E', '-f', `${folder}/kamailio.cfg`, '-l', `udp:127.0.0.1:${port}`],
        ...['-Y', folder, '-w', folder, '-m', '16', '-M', '4'],
      ],
    });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('answers OPTIONS, and the probe says what it is', async () => {
    expect(await probe(server.address, 'sip')).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^udpcat: sip: 200 OK, kamailio \(.+\)\n$/),
    });
  });

  test('is told the URI, and its failure is one of the probe', async () => {
    expect(await probe(server.address, 'sip:sip:up@example.com')).toMatchObject({ status: 0 });
    expect(await probe(server.address, 'sip:sip:down@example.com', '3s')).toEqual({
      status: 5,
      stderr: `udpcat: sip: 503 Service Unavailable (${server.address})\n`,
    });
  });
});

const REPEATED = '[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n';
const SIPP = `<?xml version="1.0" encoding="UTF-8"?>
<scenario name="answers in two steps">
  <recv request="OPTIONS"/>
  <send><![CDATA[
SIP/2.0 100 Trying
${REPEATED}]]></send>
  <send><![CDATA[
SIP/2.0 200 OK
User-Agent: the last step
${REPEATED}]]></send>
</scenario>
`;

describeWith('sipp', 'sipp', () => {
  test('sends a provisional response first, and the probe waits for the final one', async () => {
    await using server = await startDaemon({
      program: 'sipp',
      files: () => ({ 'steps.xml': SIPP }),
      args: ({ port }) => ['-sf', 'steps.xml', '-i', '127.0.0.1', '-p', String(port), '-nostdin'],
    });
    expect(await probe(server.address, 'sip')).toEqual({
      status: 0,
      stderr: 'udpcat: sip: 200 OK, the last step\n',
    });
  });
});

describe('the request', () => {
  const asked = async (local: string, remote: string): Promise<string> => {
    const session = await ProbeSession.read('sip', {});
    const scene = { local: { address: local, port: 40_000 }, remote: { address: remote, port: 5060 } };
    return Buffer.from(await session.start(scene)).toString();
  };

  test.each([
    ['192.0.2.1', '192.0.2.2', '192.0.2.1:40000', '192.0.2.2:5060'],
    ['2001:db8::1', '2001:db8::2', '[2001:db8::1]:40000', '[2001:db8::2]:5060'],
    ['fe80::1%eth0', 'fe80::2%eth0', '[fe80::1]:40000', '[fe80::2]:5060'],
    ['0.0.0.0', '192.0.2.2', 'udpcat.invalid:40000', '192.0.2.2:5060'],
    ['::', '2001:db8::2', 'udpcat.invalid:40000', '[2001:db8::2]:5060'],
  ])('of %s to %s names both as SIP does', async (local, remote, self, target) => {
    const lines = (await asked(local, remote)).split('\r\n');
    expect(lines[0]).toBe(`OPTIONS sip:${target} SIP/2.0`);
    expect(lines).toContain(`To: <sip:${target}>`);
    expect(lines).toContain(`Contact: <sip:udpcat@${self}>`);
    expect(lines[1]).toMatch(/^Via: SIP\/2\.0\/UDP \S+;branch=z9hG4bK[\da-f]{24};rport$/);
    expect(lines[1]).toContain(`UDP ${self};`);
    expect(lines.slice(-2)).toEqual(['', '']);
  });

  test.each(['example.com', 'sip:', 'sip:a b', 'sip:a>b', 'sip:a\r\nVia: b', 'sips:example.com'])(
    'is not made for %j',
    async (uri) => {
      await expect(startProbe(`sip:${uri}`)).rejects.toThrow('it must be - or a URI such as sip:alice@example.com');
    },
  );
});

describe('the judgement', () => {
  /** Judges the real reply after a change. */
  const judged = async (change: (reply: string) => string) => {
    const { request, judge } = await startProbe('sip');
    const { outcome, says } = judge(Buffer.from(change(sip.reply(request).toString())));
    return [outcome, says];
  };

  test.each([
    ['letters for names', (reply: string) => reply.replace('Via', 'v').replace('From', 'f').replace('Call-ID', 'i')],
    ['names in another case', (reply: string) => reply.replace('Via', 'VIA').replace('Call-ID', 'call-id')],
    ['white space before a colon', (reply: string) => reply.replace('CSeq:', 'CSeq \t:')],
    ['a folded line', (reply: string) => reply.replace(';branch', '\r\n  ;branch').replace('CSeq: ', 'CSeq:\r\n\t')],
    ['a body', (reply: string) => `${reply.replace('Length: 0', 'Length: 4')}v=0\r\n`],
  ])('takes a reply with %s', async (_, change) => {
    expect(await judged(change)).toEqual(['match', 'sip: 200 OK, kamailio (5.6.3 (x86_64/linux))']);
  });

  test('tells nothing of software with a long name, and tells User-Agent where there is no Server', async () => {
    expect(await judged((reply) => reply.replace('kamailio', 'k'.repeat(90)))).toEqual(['match', 'sip: 200 OK']);
    expect(await judged((reply) => reply.replace(/Server: .*/, 'User-Agent: baresip'))).toEqual([
      'match',
      'sip: 200 OK, baresip',
    ]);
  });

  test.each([
    ['100 Trying', 'pending'],
    ['180', 'pending'],
    ['302 Moved Temporarily', 'mismatch'],
    ['401 Unauthorized', 'mismatch'],
    ['503 Service Unavailable', 'mismatch'],
    ['603 Decline', 'mismatch'],
  ])('finds %s to be %s', async (status, outcome) => {
    expect(await judged((reply) => reply.replace('200 OK', status.padEnd(4)))).toEqual([outcome, `sip: ${status}`]);
  });

  test.each([
    ['branch', (reply: string) => reply.replace('branch=z9hG4bK', 'branch=z9hG4bK0')],
    ['branch', (reply: string) => reply.replace(/branch=(\w+)/, 'branch=$10')],
    ['Call-ID', (reply: string) => reply.replace('Call-ID: ', 'Call-ID: 0')],
    ['CSeq', (reply: string) => reply.replace('CSeq: ', 'CSeq: 1')],
    ['CSeq', (reply: string) => reply.replace(' OPTIONS', ' INVITE')],
    ['From tag', (reply: string) => reply.replace(/(From.*tag=)/, '$10')],
  ])('finds that another %s is another request', async (name, change) => {
    expect(await judged(change)).toEqual(['mismatch', `sip: the reply is to another request: its ${name} differs`]);
  });

  test.each([
    ['it has no call-id', (reply: string) => reply.replace(/Call-ID.*\r\n/, '')],
    ['it has more than one via', (reply: string) => reply.replace(/(Via.*\r\n)/, '$1$1')],
    ['it has more than one via', (reply: string) => reply.replace('Via: ', 'Via: SIP/2.0/UDP proxy.example, ')],
    ['its body has 0 bytes, and its Content-Length is 1', (reply: string) => reply.replace('Length: 0', 'Length: 1')],
    ['its body has 0 bytes, and its Content-Length is -', (reply: string) => reply.replace('Length: 0', 'Length: -')],
    ['a line in it is no header field', (reply: string) => reply.replace('Server: ', 'Server ')],
    ['it does not begin as a SIP response', (reply: string) => reply.replace('SIP/2.0 200', 'SIP/3.0 200')],
    ['it does not begin as a SIP response', (reply: string) => reply.trimEnd()],
  ])('finds a reply malformed: %s', async (problem, change) => {
    expect(await judged(change)).toEqual(['mismatch', `sip: the reply is no message of the protocol: ${problem}`]);
  });
});
