import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { type Family, written } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex, patched } from './fixtures/fixture.js';
import { ntp } from './fixtures/ntp.js';
import { startProbe } from './session.js';

/** A time server that does not set the clock. */
function startChrony(family: Family, host: string, ...lines: readonly string[]): Promise<Daemon> {
  return startDaemon({
    program: 'chronyd',
    // It binds the port of IPv4 first, whatever its address is.
    families: [family],
    files: ({ port, folder }) => ({
      'chrony.conf': [
        ...[`port ${port}`, `bindaddress ${host}`, 'allow', 'cmdport 0', 'bindcmdaddress /', 'user root'],
        ...[`pidfile ${folder}/pid`, `driftfile ${folder}/drift`],
        ...[...lines, ''],
      ].join('\n'),
    }),
    args: ({ folder }) => ['-d', '-x', '-U', '-f', `${folder}/chrony.conf`],
  });
}

async function probe(address: string, text: string, wait = '1m') {
  const { status, stderr } = await udpcat(['send', address, '--probe', text, '-o', 'none', '-w', wait]);
  return { status, stderr: untimed(stderr) };
}

describe.each<[Family, string]>([
  [4, '127.0.0.1'],
  [6, '::1'],
])('over IPv%d', (family, host) => {
  describeWith('chronyd', 'chrony that goes by its own clock', () => {
    let server: Daemon;

    beforeAll(async () => {
      server = await startChrony(family, host, 'local stratum 10');
    });

    afterAll(async () => {
      await server[Symbol.asyncDispose]();
    });

    test.each(['ntp', 'ntp:3'])('answers the probe %s', async (text) => {
      expect(await probe(written(host, server.port), text)).toEqual({
        status: 0,
        stderr: 'udpcat: ntp: stratum 10, root distance 0.0 ms\n',
      });
    });
  });

  describeWith('chronyd', 'chrony that knows no time', () => {
    let server: Daemon;

    beforeAll(async () => {
      server = await startChrony(family, host);
    });

    afterAll(async () => {
      await server[Symbol.asyncDispose]();
    });

    test('that is not synchronised is a failure', async () => {
      const address = written(host, server.port);
      expect(await probe(address, 'ntp', '3s')).toEqual({
        status: 5,
        stderr: `udpcat: ntp: unsynchronised, stratum 0 (${address})\n`,
      });
    });
  });
});

describe('the probe ntp', () => {
  const [RATE, GPS, NONE] = [Buffer.from('RATE'), Buffer.from('GPS\0'), hex('00000000')];

  test.each<[title: string, says: string, ...patches: Parameters<typeof patched>[1][]]>([
    ['a kiss of death', 'kiss code RATE', [0, hex('e400')], [12, RATE]],
    ['a short kiss code', 'kiss code GPS', [1, hex('00')], [12, GPS]],
    ['stratum 0 without a code', 'unsynchronised, stratum 0', [1, hex('00')], [12, NONE]],
    ['stratum 0 and an address', 'unsynchronised, stratum 0', [1, hex('00')], [12, hex('c0000201')]],
    ['stratum 16', 'unsynchronised, stratum 16', [1, hex('10')]],
    ['an unsynchronised clock', 'unsynchronised, stratum 2', [0, hex('e402')]],
    [
      'another origin',
      'the reply is to another request: its origin timestamp differs',
      [24, hex('00')],
      [31, hex('00')],
    ],
    ['mode 3', 'the reply is no message of the protocol: its mode is 3, not 4', [0, hex('23')]],
    ['mode 6', 'the reply is no message of the protocol: its mode is 6, not 4', [0, hex('26')]],
    ['no time', 'its transmit timestamp is zero', [40, hex('0000000000000000')]],
  ])('does not take a reply with %s', async (_title, says, ...patches) => {
    const started = await startProbe('ntp');
    expect(started.judge(patched(ntp.reply(started.request), ...patches))).toEqual({
      outcome: 'mismatch',
      says: `ntp: ${says}`,
    });
  });

  test.each([0, 1, 47])('does not take a reply of %d bytes', async (length) => {
    const { request, judge } = await startProbe('ntp');
    expect(judge(ntp.reply(request).subarray(0, length))).toEqual({
      outcome: 'mismatch',
      says: `ntp: the reply is no message of the protocol: it ends after ${length} bytes`,
    });
  });

  test('names the source of a primary server', async () => {
    const { request, judge } = await startProbe('ntp');
    const reply = patched(ntp.reply(request), [1, hex('01')], [4, hex('00010000 00008000')], [12, GPS]);
    expect(judge(reply)).toEqual({ outcome: 'match', says: 'ntp: stratum 1, reference GPS, root distance 1000.0 ms' });
  });

  test('takes a primary server that names no source', async () => {
    const { request, judge } = await startProbe('ntp');
    expect(judge(patched(ntp.reply(request), [1, hex('01')]))).toEqual({
      outcome: 'match',
      says: 'ntp: stratum 1, root distance 0.0 ms',
    });
  });
});
