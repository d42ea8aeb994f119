/** Values and failures that users meet first: ends of lines, missing folders and programs, ports in use, bare dumps. */
import { describe, expect, test } from '@jest/globals';
import { runInProcess } from '../support/in-process.js';
import { freeAddress, hostAndPort, silentServer } from '../support/sockets.js';

const ENDS = [
  { eol: 'lf', end: '\n' },
  { eol: 'crlf', end: '\r\n' },
  { eol: 'nul', end: '\0' },
];

describe.each(ENDS)('--eol $eol', ({ eol, end }) => {
  test.each([
    { source: 'each argument', args: ['a', ''], stdin: '', messages: ['a', ''] },
    { source: 'an argument in hex', args: ['-e', 'hex', '61'], stdin: '', messages: ['a'] },
    { source: 'each line of stdin', args: [], stdin: 'a\r\n\nb', messages: ['a', '', 'b'] },
    {
      source: 'each line of --frame lines',
      args: ['--frame', 'lines', '-e', 'base64'],
      stdin: 'YQ==\n',
      messages: ['a'],
    },
    { source: 'each line of every round', args: ['-c', '2', '--rate', 'max'], stdin: 'a\n', messages: ['a', 'a'] },
  ])('stands behind $source', async ({ args, stdin, messages }) => {
    await using peer = await silentServer();
    const { stderr, ending } = await runInProcess(['send', peer.address, '--eol', eol, ...args], { stdin });
    expect({ stderr, ending }).toEqual({ stderr: '', ending: 0 });
    const received = await peer.collect(messages.length);
    expect(received.map(({ data }) => data.toString())).toEqual(messages.map((message) => message + end));
  });
});

test.each([
  { args: ['--frame', 'whole'], what: '--frame whole' },
  { args: ['--frame', 'null'], what: '--frame null' },
  { args: ['--frame', 'json'], what: '--frame json' },
  { args: ['--size', '5'], what: '--size' },
  { args: ['--file', 'x'], what: '--file' },
  { args: ['--probe', 'dns:a.example'], what: '--probe' },
  { args: ['--replay', 'x.pcap'], what: '--replay' },
])('--eol is a usage error with $args', async ({ args, what }) => {
  const { stderr, ending } = await runInProcess(['send', '127.0.0.1:9', '--eol', 'lf', ...args]);
  expect(ending).toBe(2);
  expect(stderr).toBe(
    `udpcat: option '--eol' is for messages as arguments and for lines, not for ${what}: leave it out\n`,
  );
});

test('the end of the line counts for the limit of a datagram', async () => {
  const { stderr, ending } = await runInProcess(['send', '127.0.0.1:9', '--eol', 'crlf', 'x'.repeat(65_506)]);
  expect(ending).toBe(2);
  expect(stderr).toContain('65508 bytes');
});

test.each([
  {
    args: ['serve', '--record', '/no/such/folder/x.pcap'],
    says: 'cannot record to /no/such/folder/x.pcap: no such folder (ENOENT)',
  },
  {
    args: ['serve', '--record', '/no/such/x.jsonl', '--rotate-size', '1M'],
    says: '/no/such/x.jsonl: no such folder (ENOENT)',
  },
  { args: ['serve', '--record', '/dev/null/x.pcap'], says: 'a part of the path is a file, not a folder (ENOTDIR)' },
  { args: ['serve', '--exec', '/tmp'], says: 'cannot run /tmp: it is a folder, not a program' },
  { args: ['serve', '--exec', '/etc/passwd x'], says: 'cannot run /etc/passwd: permission denied (EACCES); chmod +x' },
  { args: ['watch', '8000', '--on-change', '/tmp'], says: 'cannot run /tmp: it is a folder, not a program' },
  { args: ['watch', '8000', '--on-change', '/etc/passwd'], says: 'permission denied (EACCES); chmod +x /etc/passwd' },
  { args: ['serve', '--exec', './no-such-program'], says: 'cannot run ./no-such-program: no such program (ENOENT)' },
])('a missing file is named by its kind: $args', async ({ args, says }) => {
  const { stderr, ending } = await runInProcess(args);
  expect(ending).toBe(1);
  expect(stderr).toContain(says);
});

test.each(['serve', 'echo'])('%s on a port in use says how to see which program holds it', async (command) => {
  await using peer = await silentServer();
  const { stderr, ending } = await runInProcess([command, peer.address]);
  expect(ending).toBe(1);
  expect(stderr).toContain('the port is in use (EADDRINUSE); choose another port, or 0 for a free one; ss -ulpn shows');
  expect(stderr).toContain('two sockets cannot share it: only the one bound last would get the datagrams');
});

test('a port in use on every interface can be shared for groups and broadcasts', async () => {
  await using peer = await silentServer();
  const { stderr, ending } = await runInProcess(['serve', `0.0.0.0:${hostAndPort(peer.address).port}`]);
  expect(ending).toBe(1);
  expect(stderr).toContain('if that program shares it for groups or broadcasts, add --reuse-address');
});

test('a shared port on every interface has a warning about datagrams to one host, unless a group is joined', async () => {
  const { port } = hostAndPort(await freeAddress());
  const args = ['serve', `0.0.0.0:${port}`, '--reuse-address', '-c', '1', '--idle', '1ms'];
  const says = 'a datagram to one address of this host reaches only one of the programs that share the port';
  expect((await runInProcess(args)).stderr).toContain(says);
  expect((await runInProcess([...args, '--join', '239.1.2.3%lo'])).stderr).not.toContain(says);
});

test('dump with --no-meta has no header, and shows an empty datagram by its length', async () => {
  await using peer = await silentServer();
  let sending: Promise<void> | undefined;
  const { stdout } = await runInProcess(['serve', '-o', 'dump', '--no-meta', '-c', '2'], {
    onStderr: (text) => {
      const [, address] = /listening on (\S+)\n/.exec(text) ?? [];
      if (address !== undefined) sending ??= peer.send('hi', address).then(() => peer.send('', address));
    },
  });
  await sending;
  expect(stdout).toBe('00000000  68 69                                             |hi|\n00000002\n00000000\n');
});
