/**
 * Help, JSON and errors as they stand, word for word: a change of one of them shows in the snapshots beside this file.
 * `npm test -- test/cli/pinned -u` writes them anew.
 */
import { describe, expect, test } from '@jest/globals';
import { COMMAND_NAMES } from '../../src/commands/names.js';
import { type InProcessOutcome, runInProcess } from '../support/in-process.js';
import { answeringServer, closedAddress, type Peer, silentServer, strayServer } from '../support/sockets.js';

describe('the help of', () => {
  test.each(
    [
      ['--help'],
      ...COMMAND_NAMES.map((name) => [name, '--help']),
      ...['serve', 'send', 'echo', 'relay', 'watch'].map((name) => [name, '-h']),
    ].map((args) => ({ args })),
  )('udpcat $args', async ({ args }) => {
    const { stdout, stderr, ending } = await runInProcess(args);
    expect({ stderr, ending }).toEqual({ stderr: '', ending: 0 });
    expect(stdout).toMatchSnapshot();
  });
});

describe('the error of', () => {
  const ANY = '127.0.0.1:9';
  test.each(
    [
      [],
      ['listen'],
      ['sevre'],
      ['serve', '--nosuch'],
      ['serve', '--cuont', '1'],
      ['serve', '--count'],
      ['serve', '--count', '0'],
      ['serve', '--count', '1', '--count', '2'],
      ['serve', '--duration', '1d'],
      ['serve', '--queue-size', 'max'],
      ['serve', '--recv-buffer', '1kb'],
      ['serve', '--ttl', '256'],
      ['serve', '--dscp', '64'],
      ['serve', '--engine', 'kernel'],
      ['serve', '--engine', 'node', '--reuse-port'],
      ['serve', '--output', 'text'],
      ['serve', '--encoding', 'latin1'],
      ['serve', '--overflow', 'drop'],
      ['serve', '--log-level', 'loud'],
      ['serve', '--allow', '127.1'],
      ['serve', '--rate-limit', 'fast'],
      ['serve', '--loss', '5'],
      ['serve', '--jitter', '5ms:pareto'],
      ['serve', '--burst-loss', '5%'],
      ['serve', '--blackhole', '5s..2s'],
      ['serve', '--seed', '-1'],
      ['serve', '--join', '10.0.0.1'],
      ['serve', '--interface', 'nosuch0'],
      ['serve', '--bind', 'x'],
      ['serve', '-4', '-6'],
      ['serve', '--quiet', '-v'],
      ['serve', '192.0.2.1'],
      ['serve', '::1:8000'],
      ['serve', '127.1:8000'],
      ['serve', '127.0.0.1:70000'],
      ['serve', '8000', '9000'],
      ['serve', '8000', '-b', '9000'],
      ['serve', '-4', '[::1]:8000'],
      ['serve', '--reply', 'a', '--exec', 'b'],
      ['serve', '--shell'],
      ['serve', '--exec', "a 'b"],
      ['serve', '--exec', ''],
      ['serve', '-e', 'hex', '--reply', 'abc'],
      ['serve', '--record', 'day.txt'],
      ['serve', '--record', '-', '-o', 'hex'],
      ['serve', '192.0.2.1:8000'],
      ['serve', '--reply-file', 'no/such/file'],
      ['serve', '--exec', 'no-such-program'],
      ['serve', '--rules', 'no/such/file'],
      ['echo', '--reply', 'x'],
      ['serve', '--on-change', 'x'],
      ['send'],
      ['send', '8000x'],
      ['send', '*:8000', 'a'],
      ['send', '0.0.0.0:8000', 'a'],
      ['send', '127.0.0.1:0', 'a'],
      ['send', ANY, 'a', '--size', '5'],
      ['send', ANY, '--file', 'no/such/file'],
      ['send', ANY, '--size', '70000'],
      ['send', ANY, '--frame', 'words'],
      ['send', ANY, 'a', '--frame', 'lines'],
      ['send', ANY, 'a', '--interval', '1s', '--rate', '5/s'],
      ['send', ANY, 'a', '--rate', 'fast'],
      ['send', ANY, 'a', 'b', '--retry', '1'],
      ['send', ANY, 'a', '-n', '0'],
      ['send', ANY, 'a', '--expect-size', '5..4'],
      ['send', ANY, 'a', '--expect-regex', '('],
      ['send', ANY, 'a', '-e', 'hex'],
      ['send', ANY, 'a', '--wait', '5'],
      ['send', ANY, 'a', '-b', '[::1]:0'],
      ['send', ANY, 'a', '--speed', '2'],
      ['send', ANY, '--replay', 'no/such/file'],
      ['send', ANY, '--probe', 'nosuch'],
      ['send', ANY, '--probe', 'dns'],
      ['send', ANY, '--probe', 'dns:a', 'text'],
      ['send', ANY, 'a', '--exit-code', 'icinga'],
      ['send', '--exit-code', 'nagios'],
      ['send', '[fe80::1]:9', 'a'],
      ['send', '255.255.255.255:9', 'a'],
      ['send', ANY, '-n', '1'],
      ['watch'],
      ['watch', ANY, 'hello'],
      ['watch', ANY, '9'],
      ['watch', ANY, '--interval', '50ms'],
      ['watch', ANY, '--interval', '1s', '--retry-interval', '2s'],
      ['watch', ANY, '--interval', '1s', '--wait', '1s'],
      ['watch', ANY, '--interval', '1s', '--deadline', '2s'],
      ['watch', ANY, '--interval', '1s', '-c', '100'],
      ['watch', ANY, '-c', '10', '--wait', '9.5s'],
      ['watch', ANY, '--max-loss', '5%'],
      ['watch', ANY, '--rate', '5/s'],
      ['watch', ANY, '-c', '5', '--probe', 'dns:a'],
      ['watch', ANY, '-c', '5', '--retry', '1'],
      ['watch', ANY, '--warn', '2s', '--critical', '1s'],
      ['watch', ANY, '--warn', '2s', '--probe', 'syslog:x'],
      ['watch', ANY, '--size', '70000'],
      ['watch', ANY, '--file', '-'],
      ['watch', ANY, '--message', 'a', '--probe', 'dns:a'],
      ['watch', ANY, '--until', 'unknown'],
      ['watch', ANY, '--checks', '0'],
      ['watch', ANY, '-o', 'utf8'],
      ['watch', ANY, '--shell'],
      ['watch', ANY, '--on-change', ''],
      ['watch', ANY, '--on-change', "a 'b"],
      ['watch', ANY, '--on-change', 'no-such-program'],
      ['watch', ANY, '--config', 'targets.yaml'],
      ['watch', '--config', 'no/such/file'],
      ['watch', '*:9'],
      ['watch', '-6', ANY],
      ['watch', '127.1', '--probe', 'dns:a'],
      ['completion', 'tcsh'],
    ].map((args) => ({ args })),
  )('udpcat $args', async ({ args }) => {
    expect(shown(await runInProcess(args))).toMatchSnapshot();
  });
});

describe('the JSON of', () => {
  test('serve', async () => {
    await using peer = await silentServer();
    const outcome = await served(['serve', '-o', 'json', '--count', '3', '--reply', 'got it'], peer, [
      'hello',
      '',
      Uint8Array.of(0xff),
    ]);
    expect(shown(outcome)).toMatchSnapshot();
  });

  test('echo', async () => {
    await using peer = await silentServer();
    const args = ['echo', '-o', 'json', '--count', '2', '--duplicate', '100%', '--seed', '1'];
    expect(shown(await served(args, peer, ['a', 'b']))).toMatchSnapshot();
  });

  test.each([
    { what: 'a reply', args: ['-n', '1', '-w', '60s'] },
    { what: 'several replies', args: ['b', 'c', '-n', '3', '-w', '60s'] },
    { what: 'a wrong reply', args: ['--expect', 'other', '--wait', '2s'] },
  ])('send with $what', async ({ args }) => {
    await using server = await answeringServer((data) => [data]);
    expect(shown(await runInProcess(['send', server.address, 'a', ...args, '-o', 'json']))).toMatchSnapshot();
  });

  test.each([
    { what: 'silence', open: silentServer },
    { what: 'a stray', open: strayServer },
  ])('send with $what', async ({ open }) => {
    await using server = await open();
    const args = ['send', server.address, 'a', '--wait', '2s', '-o', 'json'];
    expect(shown(await runInProcess(args))).toMatchSnapshot();
  });

  test('send with a refusal', async () => {
    const args = ['send', await closedAddress(), 'a', '-n', '1', '-o', 'json'];
    expect(shown(await runInProcess(args))).toMatchSnapshot();
  });
});

/** Starts a server in this process, and has a peer send it datagrams as soon as it listens. */
function served(
  args: readonly string[],
  peer: Peer,
  payloads: readonly (string | Uint8Array)[],
): Promise<InProcessOutcome> {
  let sending: Promise<void> | undefined;
  return runInProcess(args, {
    onStderr: (text) => {
      const [, address] = /listening on (\S+)\n/.exec(text) ?? [];
      if (address !== undefined) sending ??= sendAll(address);
    },
  });
  async function sendAll(address: string): Promise<void> {
    for (const payload of payloads) await peer.send(payload, address);
  }
}

/** An outcome with what differs from run to run replaced: times, durations, ports. */
function shown({ stdout, stderr, ending }: InProcessOutcome): string {
  const ports = new Map<string, string>();
  return `${stdout}${stderr}status ${ending}`
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/"((?:\w*Ms|perSecond|\w+PerSecond|min|median|mean|max|p\d+)|stddev)":[\d.]+/g, '"$1":NUMBER')
    .replace(/"histogram":\[\{.*?\}\]/g, '"histogram":HISTOGRAM')
    .replace(/(127\.0\.0\.1|\[::1\]):(\d{4,5})\b/g, (_all, host: string, port: string) => {
      if (!ports.has(port)) ports.set(port, `PORT${ports.size + 1}`);
      return `${host}:${ports.get(port) ?? ''}`;
    });
}
