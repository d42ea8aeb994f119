import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/udpcat.js';

/** Runs a probe against a service that answers. */
async function probe(address: string, text: string) {
  const { status, stderr } = await udpcat(['send', address, '--probe', text, '-o', 'none', '-w', '1s']);
  return { status, stderr };
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
    expect(await probe(server.address, 'dns:example.org')).toEqual({
      status: 5,
      stderr: `udpcat: dns: rcode REFUSED (${server.address})\n`,
    });
    expect(await probe(server.address, 'dns:example.org,rcode=refused')).toMatchObject({ status: 0 });
  });
});
