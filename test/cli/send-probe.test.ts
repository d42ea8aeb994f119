import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { PROBES } from '../../src/probes/table.js';
import { dns } from '../probes/fixtures/dns.js';
import { jsonLines, logLines } from '../support/service.js';
import { answeringServer, arrivals, silentServer } from '../support/sockets.js';
import { runInProcess, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { commandLine, shell } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

describe('--probe list', () => {
  test('shows every probe, on stdout, without an address', async () => {
    const { status, stdout, stderr } = await udpcat(['send', '--probe', 'list']);
    const names = [...stdout.toString().matchAll(/^ {2}([a-z]+)(?::| )/gm)].map(([, name]) => name);
    expect(names).toEqual(Object.keys(PROBES));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('--probe help:NAME', () => {
  test.each(Object.keys(PROBES))(
    'tells of %s what it asks, proves and takes, and an example that can be run',
    async (name) => {
      const { status, stdout } = await udpcat(['send', '--probe', `help:${name}`]);
      const help = stdout.toString();
      const probe = await PROBES[name]!();
      for (const part of [probe.summary, probe.proves, probe.source, ...Object.keys(probe.arguments)])
        expect(help).toContain(part);
      expect(status).toBe(0);
      const [, example = ''] = /^Example: udpcat send HOST --probe (.+)$/m.exec(help) ?? [];
      await using server = await silentServer();
      const wait = probe.repliesFrom === 'none' ? [] : ['-w', '1ms'];
      const args = ['send', server.address, '--probe', example, ...wait];
      expect([0, 3]).toContain((await udpcat(args, { env: { RADIUS_SECRET: 'xyzzy' } })).status);
    },
  );

  test('with an unknown name is a usage error that lists all probes', async () => {
    const { status, stderr } = await udpcat(['send', '--probe', 'help:nope']);
    expect(stderr).toBe(`udpcat: option '--probe': there is no probe "nope", only ${Object.keys(PROBES).join(', ')}\n`);
    expect(status).toBe(2);
  });
});

describe('--probe', () => {
  test('is a source of messages, and there is one only', async () => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', 'hello', '--probe', 'ntp']);
    expect(stderr).toBe('udpcat: messages come from one source only, not from messages as arguments and --probe\n');
    expect(status).toBe(2);
  });

  test.each([
    ['a name that no probe has', ['--probe', 'nope'], 'there is no probe "nope", only '],
    ['the name of something else', ['--probe', 'constructor'], 'there is no probe "constructor"'],
    [
      'a missing argument',
      ['--probe', 'dns'],
      'probe dns: it needs its argument "name", such as example.com; --probe help:dns',
    ],
    ['no wait', ['--probe', 'ntp', '-w', '0'], "option '-w, --wait' 0 waits for no reply"],
    ['-n 2 and --retry', ['--probe', 'ntp', '--retry', '1', '-n', '2'], "option '--retry' is for one message"],
    [
      'a count above 1',
      ['--probe', 'ntp', '-c', '2'],
      "option '-c, --count' above 1 would send the same request of the probe ntp again, and a second reply to one could not be told from another's",
    ],
    ['--duration', ['--probe', 'dns:a', '--duration', '1s'], "option '--duration' would send the same request"],
    ['two of them', ['--probe', 'ntp', '--probe', 'dns:a'], 'may stand only once'],
  ])('with %s is a usage error', async (_title, args, message) => {
    const { status, stderr, stdout } = await udpcat(['send', '127.0.0.1:9', ...args]);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^[^\n]*\n$/);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: '' });
  });

  test('can be repeated if the protocol has no replies', async () => {
    await using server = await silentServer();
    const args = ['send', server.address, '--probe', 'statsd', '-c', '3', '--interval', '1ms'];
    expect(await udpcat(args)).toMatchObject({ status: 0, stderr: '' });
    expect(await arrivals(server)).toHaveLength(3);
  });

  test('writes the reply to stdout if asked to, and its content as JSON', async () => {
    await using server = await answeringServer((request) => [dns.reply(request)]);
    const { status, stdout } = await udpcat(['send', server.address, '--probe', dns.probe, '-o', 'json']);
    expect(jsonLines(stdout)).toMatchObject([
      { type: 'datagram', from: server.address, size: 45 },
      { type: 'verdict', verdict: 'ok', probe: 'dns', says: 'dns: example.com A 192.0.2.10, 1 answer, rcode NOERROR' },
      { type: 'summary', sent: 1, received: 1 },
    ]);
    expect(status).toBe(0);
  });

  sideBySide('and --expect must both hold for one reply', async () => {
    await using server = await answeringServer((request) => [dns.reply(request)]);
    const args = ['send', server.address, '--probe', dns.probe, '-o', 'none', '-w', '3s', '--expect-size', '9'];
    expect(await udpcat(args)).toMatchObject({
      status: 5,
      stderr: `udpcat: the reply from ${server.address} has 45 bytes, not 9\n`,
    });
  });

  sideBySide('is sent again with --retry, the same bytes each time', async () => {
    await using server = await silentServer();
    const args = ['send', server.address, '--probe', dns.probe, '--retry', '2', '-w', '6s'];
    expect(await udpcat(args)).toMatchObject({ status: 3 });
    const [first, second, third] = server.received.map(({ data }) => data.toString('hex'));
    expect([second, third]).toEqual([first, first]);
  });

  test.each(Object.keys(PROBES))('%s goes to its own port if the address has none', async (name) => {
    const probe = await PROBES[name]!();
    const example = Object.entries(probe.arguments).flatMap(([key, spec]) =>
      spec.byDefault === undefined ? [`${key}=${spec.secret ? 'xyzzy' : spec.example}`] : [],
    );
    const wait = probe.repliesFrom === 'none' ? [] : ['-w', '1ms'];
    const args = ['send', '127.77.0.9', '--probe', `${name}:${example.join(',')}`, ...wait, '-o', 'json'];
    const { stdout } = await runInProcess(args);
    const [verdict] = jsonLines(stdout).filter(({ type }) => type === 'verdict');
    expect(verdict).toMatchObject({ address: `127.77.0.9:${probe.port}` });
  });

  test.each([
    ['[::1]', '[::1]:5353'],
    ['udp://127.77.0.9', '127.77.0.9:5353'],
    ['127.77.0.9:5354', '127.77.0.9:5354'],
    ['5354', '127.0.0.1:5354'],
  ])('to %s asks %s', async (address, asked) => {
    const { stdout } = await runInProcess(['send', address, '--probe', 'mdns', '-w', '1ms', '-o', 'json']);
    expect(jsonLines(stdout)).toContainEqual(expect.objectContaining({ type: 'verdict', address: asked }));
  });

  test.each([
    ['::1', 'write an IPv6 address in brackets: [::1]:PORT'],
    ['*', 'it stands for every interface'],
    ['0.0.0.0', 'it stands for every interface'],
    ['127.1', '"127.1" is not an IPv4 address in its full decimal form'],
    ['127.0.0.1:', '"" is not a port'],
  ])('to %s is a usage error', async (address, message) => {
    const { ending, stderr } = await runInProcess(['send', address, '--probe', 'mdns']);
    expect(stderr).toContain(message);
    expect(ending).toBe(2);
  });

  test('and a port as an argument of its own is answered with one address', async () => {
    const { ending, stderr } = await runInProcess(['send', '127.0.0.1', '53', '--probe', 'ntp']);
    expect(stderr).toBe('udpcat: invalid address "127.0.0.1": it has no port; write 127.0.0.1:53\n');
    expect(ending).toBe(2);
  });

  test.each([
    [[], ''],
    [['-o', 'none'], ''],
    [['-o', 'hex'], 'hex'],
    [['-x'], 'hex'],
    [['-o', 'raw'], 'bytes'],
  ])('with %j writes the reply to stdout only if -o asks for it', async (options, written) => {
    await using server = await answeringServer((request) => [dns.reply(request)]);
    const { status, stdout } = await udpcat(['send', server.address, '--probe', dns.probe, ...options]);
    const { data } = server.received[0]!;
    const reply = dns.reply(data);
    const shown = { '': '', hex: `${reply.toString('hex')}\n`, bytes: reply.toString('latin1') }[written];
    expect(stdout.toString('latin1')).toBe(shown);
    expect(status).toBe(0);
  });

  testWithShell.each(['syslog', 'dns:example.com'])('%s says that it does not read stdin', async (probe) => {
    await using server = await answeringServer((request) => (probe === 'syslog' ? [] : [dns.reply(request)]));
    const folder = await mkdtemp(join(tmpdir(), 'udpcat-'));
    const [full, empty] = [join(folder, 'full'), join(folder, 'empty')];
    await writeFile(full, 'hello\n');
    await writeFile(empty, '');
    const run = commandLine(['send', server.address, '--probe', probe]);
    const warning = `udpcat: warning: the probe ${probe.replace(/:.*/, '')} does not read stdin: its arguments give its message`;
    for (const line of [`echo hello | ${run}`, `${run} < ${full}`]) {
      const { status, stderr } = await shell(line).outcome;
      expect(stderr).toContain(warning);
      expect(status).toBe(0);
    }
    for (const line of [`${run} < /dev/null`, `${run} < ${empty}`, `${run} <&-`]) {
      const { status, stderr } = await shell(line).outcome;
      expect(stderr).not.toContain('stdin');
      expect(status).toBe(0);
    }
    await rm(folder, { recursive: true });
  });

  test('is unlike any other at each run', async () => {
    await using server = await silentServer();
    const args = ['send', server.address, '--probe', 'ntp', '-w', '1ms'];
    await Promise.all([udpcat(args), udpcat(args)]);
    const [first, second] = await server.collect(2);
    expect(first!.data.equals(second!.data)).toBe(false);
  });

  test('names the sender of the reply if several hosts may reply', async () => {
    await using server = await answeringServer((request) => [dns.reply(request)]);
    const outcome = await udpcat(['send', server.address, '--probe', dns.probe, '-o', 'none', '--any-source']);
    expect(logLines(outcome)).toEqual([
      expect.stringMatching(
        /^udpcat: dns: example\.com A 192\.0\.2\.10, 1 answer, rcode NOERROR \([\d.:]+\); answered in [\d.]+ ms$/,
      ),
    ]);
  });
});
