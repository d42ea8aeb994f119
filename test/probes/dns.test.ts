import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { answeringServer, type Family, type Peer, written } from '../support/sockets.js';
import { udpcat, untimed } from '../support/udpcat.js';
import { dns } from './fixtures/dns.js';
import { hex, patched } from './fixtures/fixture.js';
import { startProbe } from './session.js';

/** Runs a probe against a service that replies. */
async function probe(address: string, text: string, wait = '1m') {
  const { status, stderr } = await udpcat(['send', address, '--probe', text, '-o', 'none', '-w', wait]);
  return { status, stderr: untimed(stderr) };
}

describeWith('dnsmasq', 'dnsmasq', () => {
  let server: Daemon;

  beforeAll(async () => {
    server = await startDaemon({
      program: 'dnsmasq',
      args: ({ port, folder }) => [
        ...['--keep-in-foreground', `--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--user=root'],
        ...['--no-resolv', '--no-hosts', '--conf-file=/dev/null', `--pid-file=${folder}/pid`],
        ...[
          '--address=/example.com/192.0.2.10',
          '--address=/example.com/2001:db8::10',
          '--mx-host=example.com,mail.example.com,5',
        ],
      ],
    });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('answers a question, and the probe says what', async () => {
    expect(await probe(server.address, 'dns:example.com')).toEqual({
      status: 0,
      stderr: 'udpcat: dns: example.com A 192.0.2.10, 1 answer, rcode NOERROR\n',
    });
  });

  test.each([
    ['example.com,AAAA', 'example.com AAAA 2001:db8::10, 1 answer, rcode NOERROR'],
    ['Example.COM.,mx', 'Example.COM MX preference 5 exchange mail.example.com, 1 answer, rcode NOERROR'],
    ['name=example.com,type=a,recursion=no', 'example.com A 192.0.2.10, 1 answer, rcode NOERROR'],
  ])('answers %s', async (args, says) => {
    expect(await probe(server.address, `dns:${args}`)).toEqual({ status: 0, stderr: `udpcat: dns: ${says}\n` });
  });

  test('refuses what it knows nothing about, which is a failure unless it was asked for', async () => {
    expect(await probe(server.address, 'dns:example.org', '3s')).toEqual({
      status: 5,
      stderr: `udpcat: dns: rcode REFUSED (${server.address})\n`,
    });
    expect(await probe(server.address, 'dns:example.org,rcode=refused')).toMatchObject({ status: 0 });
  });
});

/** An authoritative server for example.com, without recursion. */
function startNamed(host: string): Promise<Daemon> {
  const [v4, v6] = host.includes(':') ? ['none', host] : [host, 'none'];
  return startDaemon({
    program: 'named',
    files: ({ port, folder }) => ({
      'named.conf': `
        options {
          directory "${folder}";
          listen-on port ${port} { ${v4}; };
          listen-on-v6 port ${port} { ${v6}; };
          pid-file none; session-keyfile none; lock-file none;
          recursion no; dnssec-validation no; notify no;
          version "a test";
        };
        controls { };
        zone "example.com" { type primary; file "zone"; };`,
      zone: `$TTL 60
@ SOA ns admin 1 60 60 60 60
@ NS ns
ns A 127.0.0.1
@ A 192.0.2.1
@ A 192.0.2.2
@ A 192.0.2.3
www CNAME example.com.
many HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
many SVCB 2 svc.example.net. ipv6hint=2001:db8::1
many TYPE65280 \\# 4 c0000201
many MX 10 mail
many TXT "v=spf1 include:a" ",b -all"
many TXT "V=SPF1"
many CAA 0 issue "ca.example"
many AAAA 2001:db8::1
long TXT ${'a'.repeat(200)}
long TXT ${'b'.repeat(200)}
long TXT ${'c'.repeat(200)}
`,
    }),
    args: ({ folder }) => ['-g', '-c', `${folder}/named.conf`],
  });
}

describe.each<[Family, string]>([
  [4, '127.0.0.1'],
  [6, '::1'],
])('over IPv%d', (_family, host) => {
  describeWith('named', 'BIND', () => {
    let server: Daemon;
    let address: string;

    beforeAll(async () => {
      server = await startNamed(host);
      address = written(host, server.port);
      // The server binds its port before it reads its zones. Until then its reply is another one.
      const args = ['--probe', 'dns:example.com,SOA', '--retry', '600', '-w', '2m', '-o', 'none'];
      expect(await udpcat(['send', address, ...args])).toMatchObject({ status: 0 });
    });

    afterAll(async () => {
      await server[Symbol.asyncDispose]();
    });

    test.each([
      ['example.com', /^example\.com A 192\.0\.2\.[123], 3 answers, rcode NOERROR$/],
      ['example.com,answers=3', /^example\.com A 192\.0\.2\.[123], 3 answers, rcode NOERROR$/],
      ['www.example.com', /^www\.example\.com A 192\.0\.2\.[123], 4 answers, rcode NOERROR$/],
      ['www.example.com,CNAME', /^www\.example\.com CNAME example\.com, 1 answer, rcode NOERROR$/],
      ['example.com,AAAA,answers=0', /^example\.com AAAA, 0 answers, rcode NOERROR$/],
      [
        'long.example.com,TXT,answers=1',
        /^long\.example\.com TXT ([abc])\1{199}, \d answers?, rcode NOERROR, truncated$/,
      ],
      ['nobody.example.com,rcode=NXDOMAIN', /^nobody\.example\.com A, 0 answers, rcode NXDOMAIN$/],
      ['version.bind,TXT,CH', /^version\.bind TXT a test, 1 answer, rcode NOERROR$/],
      ['example.com,answer=192.0.2.2', /^example\.com A 192\.0\.2\.2, 3 answers, rcode NOERROR$/],
      [
        'many.example.com,HTTPS',
        /^many\.example\.com HTTPS 1 \. alpn=h2,h3 port=8443 ipv4hint=192\.0\.2\.1, 1 answer, /,
      ],
      [
        'many.example.com,65,answer=1 . alpn="h2\\,h3" port=8443 ipv4hint=192.0.2.1',
        /^many\.example\.com HTTPS 1 \. alpn/,
      ],
      ['many.example.com,TYPE64', /^many\.example\.com SVCB 2 svc\.example\.net ipv6hint=2001:db8::1, 1 answer, /],
      ['many.example.com,TYPE65280', /^many\.example\.com TYPE65280 \\# 4 c0000201, 1 answer, rcode NOERROR$/],
      ['many.example.com,65280,answer=\\\\# 4 C0000201', /^many\.example\.com TYPE65280 \\# 4 c0000201, 1 answer/],
      ['many.example.com,ANY', /^many\.example\.com ANY .+, \d answers?, rcode NOERROR$/],
      [
        'many.example.com,MX,answer=10 mail.example.com.',
        /^many\.example\.com MX preference 10 exchange mail\.example\.com, /,
      ],
      [
        'many.example.com,TXT,answer=v=spf1 include:a\\,b -all',
        /^many\.example\.com TXT v=spf1 include:a,b -all, 2 answers/,
      ],
      [
        'many.example.com,CAA,answer=0 issue "ca.example"',
        /^many\.example\.com CAA flags 0 tag issue value ca\.example, /,
      ],
      [
        'many.example.com,AAAA,answer=2001:DB8:0::0:1',
        /^many\.example\.com AAAA 2001:db8::1, 1 answer, rcode NOERROR$/,
      ],
    ])('answers %s', async (args, says) => {
      const { status, stderr } = await probe(address, `dns:${args}`);
      expect(stderr.replace(/^udpcat: dns: |\n$/g, '')).toMatch(says);
      expect(status).toBe(0);
    });

    test.concurrent.each([
      ['nobody.example.com', 'rcode NXDOMAIN'],
      ['example.org', 'rcode REFUSED'],
      ['example.com,AAAA', 'example.com AAAA: 0 records of that type, fewer than 1, rcode NOERROR'],
      ['example.com,answers=4', 'example.com A: 3 records of that type, fewer than 4, rcode NOERROR'],
      ['example.com,rcode=NXDOMAIN', 'rcode NOERROR'],
      ['many.example.com,TXT,answer=v=spf1', 'many.example.com TXT: no record of that type is v=spf1: '],
      [
        'many.example.com,A,answer=192.0.2.1',
        'many.example.com A: 0 records of that type, fewer than 1, rcode NOERROR',
      ],
      [
        'many.example.com,MX,answer=5 mail.example.com',
        'many.example.com MX: no record of that type is 5 mail.example.com: preference 10 exchange mail.example.com',
      ],
    ])('fails %s', async (args, says) => {
      const { status, stderr } = await probe(address, `dns:${args}`, '3s');
      expect(stderr).toContain(`udpcat: dns: ${says}`);
      expect(stderr).toMatch(new RegExp(`^[^\n]* \\(${address.replace(/[[\]]/g, '\\$&')}\\)\n$`));
      expect(status).toBe(5);
    });
  });

  describeWith('unbound', 'Unbound, behind an authoritative server that refuses its queries', () => {
    let upstream: Peer;
    let server: Daemon;

    beforeAll(async () => {
      const refusal = (query: Buffer): Buffer[] => [patched(query, [2, hex('8005')])];
      upstream = await answeringServer(refusal);
      server = await startDaemon({
        program: 'unbound',
        files: ({ port, folder }) => ({
          'unbound.conf': `
server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  num-threads: 1
  interface: ${host}@${port}
  do-not-query-localhost: no
  module-config: "iterator"
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@${upstream.port}
`,
        }),
        args: ({ folder }) => ['-d', '-c', `${folder}/unbound.conf`],
      });
    });

    afterAll(async () => {
      await server[Symbol.asyncDispose]();
      await upstream[Symbol.asyncDispose]();
    });

    test('replies with SERVFAIL, which is a failure unless that rcode was asked for', async () => {
      const address = written(host, server.port);
      expect(await probe(address, 'dns:example.com,rcode=SERVFAIL')).toEqual({
        status: 0,
        stderr: 'udpcat: dns: example.com A, 0 answers, rcode SERVFAIL\n',
      });
      expect(await probe(address, 'dns:example.com', '3s')).toEqual({
        status: 5,
        stderr: `udpcat: dns: rcode SERVFAIL (${address})\n`,
      });
    });
  });
});

describe('the probe dns', () => {
  const judged = async (change: (reply: Buffer, request: Buffer) => Buffer, args = '') => {
    const { request, judge } = await startProbe(`${dns.probe}${args}`);
    return judge(change(dns.reply(request), request));
  };

  test.each<[title: string, says: string, change: (reply: Buffer, request: Buffer) => Buffer]>([
    [
      'with another id',
      'the reply is to another query: its id differs',
      (reply) => patched(reply, [1, Buffer.from([reply[1]! ^ 1])]),
    ],
    [
      'to another name',
      'the reply is to another query: its question differs',
      (reply) => patched(reply, [13, Buffer.from('f')]),
    ],
    [
      'to a name of one label that is written the same',
      'the reply is to another query: its question differs',
      (reply) => patched(reply, [12, hex('0b')], [20, Buffer.from('.')]),
    ],
    [
      'to another type',
      'the reply is to another query: its question differs',
      (reply) => patched(reply, [26, hex('1c')]),
    ],
    [
      'to two questions',
      'the reply is to another query: its question differs',
      (reply) => Buffer.concat([patched(reply.subarray(0, 29), [5, hex('02')]), reply.subarray(12)]),
    ],
    [
      'without the question',
      'the reply is to another query: its question differs',
      (reply) => patched(Buffer.concat([reply.subarray(0, 29), reply.subarray(35)]), [4, hex('0000')]),
    ],
    [
      'with another opcode',
      'the reply is to another query: its opcode differs',
      (reply) => patched(reply, [2, hex('a5')]),
    ],
    ['that is a query', 'the reply is no message of the protocol: it is a query', (_reply, request) => request],
    [
      'without a record',
      'example.com A: 0 records of that type, fewer than 1, rcode NOERROR',
      (reply) => patched(reply.subarray(0, 29), [7, hex('00')]),
    ],
    ['with an error', 'rcode SERVFAIL', (reply) => patched(reply, [3, hex('82')])],
    [
      'with an error in it that hides the question',
      'rcode FORMERR',
      (reply) => patched(reply.subarray(0, 12), [3, hex('81 0000 0000')]),
    ],
  ])('does not take a reply %s', async (_title, says, change) => {
    expect(await judged(change)).toEqual({ outcome: 'mismatch', says: `dns: ${says}` });
  });

  test('takes a reply whose question has letters of the other case', async () => {
    expect(await judged((reply) => patched(reply, [13, Buffer.from('EXAMPLE')]))).toMatchObject({ outcome: 'match' });
  });

  test('does not decode what is longer than a reply may be, however long that would take', async () => {
    expect(await judged((reply) => Buffer.concat([reply, Buffer.alloc(513 - reply.length)]))).toEqual({
      outcome: 'mismatch',
      says: 'dns: the reply is no message of the protocol: it has 513 bytes, and a reply has at most 512',
    });
  });

  test('takes a truncated reply for what it holds, and says so', async () => {
    expect(await judged((reply) => patched(reply.subarray(0, 29), [2, hex('87')], [7, hex('00')]))).toEqual({
      outcome: 'mismatch',
      says: 'dns: example.com A: 0 records of that type, fewer than 1, truncated',
    });
  });

  test.each(['HTTPS', 'svcb', 'ANY', 'TYPE65', 'type64', '65', '1', '65535', 'OPENPGPKEY'])(
    'asks for the type %s',
    async (type) => {
      const { request } = await startProbe(`dns:example.com,${type}`);
      const numbers: Record<string, number> = { HTTPS: 65, svcb: 64, ANY: 255, OPENPGPKEY: 61 };
      expect(request.readUInt16BE(request.length - 4)).toBe(
        numbers[type] ?? Number(type.replace('TYPE', '').replace('type', '')),
      );
    },
  );

  test.each(['TYPE0', '0', '65536', 'TYPE', 'HTTP', 'UNKNOWN_65', 'constructor', ''])(
    'knows no type %j',
    async (type) => {
      await expect(startProbe(`dns:example.com,type=${type}`)).rejects.toThrow(
        'it must be a record type such as A, HTTPS',
      );
    },
  );

  test.each(['dns:example.com,answer=', 'dns:example.com,rcode=NXDOMAIN,answer=192.0.2.1'])(
    'does not accept %s, which would be no check of a value',
    async (text) => {
      await expect(startProbe(text)).rejects.toThrow('"answer"');
    },
  );

  test('takes a reply only with the value asked for', async () => {
    expect(await judged((reply) => reply, ',answer=192.0.2.10')).toMatchObject({ outcome: 'match' });
    expect(await judged((reply) => reply, ',answer=192.0.2.1')).toEqual({
      outcome: 'mismatch',
      says: 'dns: example.com A: no record of that type is 192.0.2.1: 192.0.2.10',
    });
  });

  test('takes NODATA where no record was asked for', async () => {
    expect(await judged((reply) => patched(reply.subarray(0, 29), [7, hex('00')]), ',answers=0')).toEqual({
      outcome: 'match',
      says: 'dns: example.com A, 0 answers, rcode NOERROR',
    });
  });
});
