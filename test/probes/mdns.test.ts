import { describe, expect, test } from '@jest/globals';
import { shellOnTwoHosts, testInNamespaces } from '../support/namespaces.js';
import { describeWith } from '../support/peers.js';
import { commandLine, udpcat, untimed } from '../support/udpcat.js';
import { patched } from './fixtures/fixture.js';
import { mdns } from './fixtures/mdns.js';
import { startProbe } from './session.js';

/** Avahi's default services on both hosts, independent of the configuration of the system. */
const AVAHI = `mount -t tmpfs none /etc/avahi/services
printf '[server]\\nhost-name=%s\\nenable-dbus=no\\n[publish]\\npublish-workstation=yes\\n' "$HOST" >/run/avahi.conf
exec avahi-daemon -f /run/avahi.conf --no-drop-root --no-chroot --no-rlimits`;

const SERVICES = 'mdns: _services._dns-sd._udp.local PTR _workstation._tcp.local, 1 answer';

/** Runs `send` on one of the two hosts, when both reply. */
async function discover(...args: readonly string[]) {
  const ready = ['10.9.8.1:5353', '[fe80::1%lan0]:5353', '10.9.8.2:5353', '[fe80::2%lan0]:5353'].map((address) =>
    commandLine([
      'send',
      address,
      '--probe',
      'mdns',
      '--retry',
      '600',
      '-w',
      '2m',
      '-o',
      'none',
      '--log-level',
      'error',
    ]),
  );
  await using running = shellOnTwoHosts(AVAHI, `${ready.join(' && ')} && ${commandLine(['send', ...args])}`);
  const { status, stdout, stderr } = await running.outcome;
  return { status, stdout: stdout.toString(), stderr: untimed(stderr).trimEnd().split('\n').sort() };
}

describeWith('avahi-daemon', 'two hosts with Avahi', () => {
  testInNamespaces.concurrent('are discovered over IPv4, each with its address', async () => {
    const args = ['224.0.0.251:5353', '--interface', 'lan0', '--probe', 'mdns', '-n', 'all', '-w', '3s', '-o', 'utf8'];
    const { status, stdout, stderr } = await discover(...args);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: [`udpcat: ${SERVICES} (10.9.8.1:5353)`, `udpcat: ${SERVICES} (10.9.8.2:5353)`],
    });
    expect(stdout).toMatch(/ 10\.9\.8\.1:5353 /);
    expect(stdout).toMatch(/ 10\.9\.8\.2:5353 /);
  });

  testInNamespaces.concurrent('are discovered over IPv6, each with its address', async () => {
    const args = ['[ff02::fb%lan0]:5353', '--probe', 'mdns', '-n', 'all', '-w', '3s', '-o', 'none'];
    expect(await discover(...args)).toMatchObject({
      status: 0,
      stderr: [`udpcat: ${SERVICES} ([fe80::1%lan0]:5353)`, `udpcat: ${SERVICES} ([fe80::2%lan0]:5353)`],
    });
  });

  testInNamespaces.concurrent('can be asked for the address of a name, which one of them has', async () => {
    const args = ['224.0.0.251:5353', '--interface', 'lan0', '--probe', 'mdns:Far.local.,A', '-w', '1m', '-o', 'none'];
    expect(await discover(...args)).toMatchObject({
      status: 0,
      stderr: ['udpcat: mdns: Far.local A 10.9.8.2, 1 answer (10.9.8.2:5353)'],
    });
  });

  testInNamespaces.concurrent('answer alone when they are asked alone', async () => {
    const { status, stderr } = await discover(
      ...['10.9.8.2:5353', '--probe', 'mdns:_workstation._tcp.local', '-w', '1m', '-o', 'none'],
    );
    expect(stderr).toEqual([
      expect.stringMatching(
        /^udpcat: mdns: _workstation\._tcp\.local PTR far \[[0-9a-f:]{17}\]\._workstation\._tcp\.local, 1 answer$/,
      ),
    ]);
    expect(status).toBe(0);
  });

  testInNamespaces.concurrent('are silent about a name that neither has', async () => {
    const args = ['224.0.0.251:5353', '--interface', 'lan0', '--probe', 'mdns:nobody.local,A', '-w', '1s'];
    expect(await discover(...args)).toMatchObject({
      status: 3,
      stderr: ['udpcat: 224.0.0.251:5353 did not answer within 1s'],
    });
  });
});

describe('the probe mdns', () => {
  test.each([
    ['of another question', (reply: Buffer) => patched(reply, [13, Buffer.from('x')]), 'its question differs'],
    ['to another id', (reply: Buffer) => patched(reply, [0, Buffer.from([reply[0]! ^ 1])]), 'its id differs'],
    ['of another opcode', (reply: Buffer) => patched(reply, [2, Buffer.from([0xa4])]), 'its opcode differs'],
    ['that is a query', (reply: Buffer) => patched(reply, [2, Buffer.from([0])]), 'it is a query'],
    ['with a response code', (reply: Buffer) => patched(reply, [3, Buffer.from([3])]), 'mdns: rcode NXDOMAIN'],
    [
      'without a record',
      (reply: Buffer) => patched(reply.subarray(0, 46), [6, Buffer.from([0, 0])]),
      'mdns: _services._dns-sd._udp.local PTR: no record of that type',
    ],
  ])('does not take a reply %s', async (_title, change, says) => {
    const { request, judge } = await startProbe('mdns');
    expect(judge(change(mdns.reply(request)))).toEqual({
      outcome: 'mismatch',
      says: expect.stringMatching(new RegExp(`${says.replaceAll('.', '\\.')}$`)),
    });
  });

  test('does not take a reply that leaves out the question, as one by multicast does', async () => {
    const { request, judge } = await startProbe('mdns');
    const reply = patched(mdns.reply(request), [4, Buffer.from([0, 0])]);
    const withoutQuestion = Buffer.concat([reply.subarray(0, 12), request.subarray(12, -4), reply.subarray(48)]);
    expect(judge(withoutQuestion)).toMatchObject({ outcome: 'mismatch' });
  });

  test('asks for the instances of a service, whose names are any text', async () => {
    const { request } = await startProbe('mdns:Küche \\, oben._ipp._tcp.local,SRV');
    expect(request.subarray(12)).toEqual(
      Buffer.from('\x0dKüche , oben\x04_ipp\x04_tcp\x05local\0\0\x21\0\x01', 'utf8'),
    );
  });

  test.each(['a..local', 'ä'.repeat(32), 'a\nb.local', '.local'])('does not ask for %j', async (name) => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', '--probe', `mdns:${name}`]);
    expect(stderr).toMatch(/its argument "name" cannot be .*: it must be a name such as _ipp\._tcp\.local/);
    expect(status).toBe(2);
  });
});
