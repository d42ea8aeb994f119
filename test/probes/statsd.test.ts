import { describe, expect, test } from '@jest/globals';
import { startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { closedAddress, hostAndPort, type Peer, silentServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';

async function probe(address: string, text: string, ...options: readonly string[]) {
  const { status, stdout, stderr } = await udpcat(['send', address, '--probe', text, ...options]);
  return { status, stdout: stdout.toString(), stderr };
}

const SILENT_SUCCESS = { status: 0, stdout: '', stderr: '' };

describe('--probe statsd', () => {
  test.each([
    ['statsd', 'udpcat.probe:1|c'],
    ['statsd:web.time,320,MS', 'web.time:320|ms'],
    ['statsd:type=g,value=-1.5,name=a-b_c/d', 'a-b_c/d:-1.5|g'],
    ['statsd:users,alice,s', 'users:alice|s'],
    ['statsd:size,7,h', 'size:7|h'],
  ])('sends %s as %s, and waits for nothing', async (text, line) => {
    await using server = await silentServer();
    expect(await probe(server.address, text)).toEqual(SILENT_SUCCESS);
    const [received] = await server.collect(1);
    expect(received?.data.toString()).toBe(line);
  });

  test('is 4 where nobody listens', async () => {
    expect(await probe(await closedAddress(), 'statsd')).toMatchObject({ status: 4 });
  });

  test.each([
    ['statsd:a:b', '"name" cannot be "a:b"'],
    ['statsd:a|b', '"name" cannot be "a|b"'],
    ['statsd:a b', '"name" cannot be "a b"'],
    ['statsd:a\nb', '"name" cannot be "a\\nb"'],
    ['statsd:é', '"name" cannot be "é"'],
    [`statsd:${'a'.repeat(251)}`, '"name" cannot be "aaa'],
    ['statsd:a,1|c@0.1', '"value" cannot be "1|c@0.1"'],
    ['statsd:a,1,m', '"type" cannot be "m"'],
  ])('is a usage error for %j', async (text, reason) => {
    const { status, stderr } = await probe('127.0.0.1:9', text);
    expect(status).toBe(2);
    expect(stderr).toContain(reason);
  });

  test.each([['-w', '1s'], ['-n', '1'], ['--expect', 'x'], ['--retry', '2'], ['--any-source']])(
    'is a usage error with %s, since nothing answers',
    async (...options) => {
      expect(await probe('127.0.0.1:9', 'statsd', ...options)).toEqual({
        status: 2,
        stdout: '',
        stderr: expect.stringContaining('nothing answers the probe statsd, and other options ask for replies'),
      });
    },
  );
});

/** Waits until the peer receives a line that matches. */
async function lineAt(peer: Peer, pattern: RegExp): Promise<string> {
  for (let n = 1; ; n += 1) {
    const [line] = pattern.exec((await peer.collect(n)).at(-1)!.data.toString()) ?? [];
    if (line !== undefined) return line;
  }
}

describeWith('collectd', 'collectd', () => {
  test.each([
    ['statsd', /derive-udpcat_probe 1 /],
    ['statsd:udpcat.level,7,g', /gauge-udpcat_level 7 /],
    ['statsd:udpcat.users,alice,s', /objects-udpcat_users 1 /],
    ['statsd:udpcat.time,320,ms', /latency-udpcat_time-average 0\.32/],
  ])('counts what %s sends', async (text, line) => {
    await using graphite = await silentServer();
    await using server = await startDaemon({
      program: 'collectd',
      files: ({ port, folder }) => ({ config: configuration(port, folder, hostAndPort(graphite.address).port) }),
      args: ({ folder }) => ['-f', '-C', `${folder}/config`, '-P', `${folder}/pid`],
    });
    expect(await probe(server.address, text)).toEqual(SILENT_SUCCESS);
    expect(await lineAt(graphite, line)).toMatch(line);
  });
});

/** Runs collectd, which counts metrics, and sends its counts to a port ten times a second. */
function configuration(port: number, folder: string, graphitePort: number): string {
  return `
    BaseDir "${folder}"
    Hostname "test"
    FQDNLookup false
    Interval 0.1
    LoadPlugin statsd
    <Plugin statsd>
      Host "127.0.0.1"
      Port "${port}"
    </Plugin>
    <LoadPlugin write_graphite>
      FlushInterval 0.1
    </LoadPlugin>
    <Plugin write_graphite>
      <Node "test">
        Host "127.0.0.1"
        Port "${graphitePort}"
        Protocol "udp"
        StoreRates false
      </Node>
    </Plugin>
  `;
}
