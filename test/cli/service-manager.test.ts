import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES, testWithLinuxEngine } from '../support/engines.js';
import { describeWith, testWith } from '../support/peers.js';
import { jsonLines } from '../support/service.js';
import { closedPort } from '../support/sockets.js';
import { passSockets } from '../support/passing.js';
import { commandLine, quote, type Running, shell, start, type StartOptions, udpcat } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-manager-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** The default engine, also if the tests run with another one: the linux engine cannot adopt a socket. */
const ENGINE = ['--engine', 'auto'];

/** Starts udpcat with these sockets, see {@link passSockets}. */
function startWith(
  sockets: string,
  args: readonly string[],
  { owner, ...options }: StartOptions & { readonly owner?: string } = {},
): Running {
  return shell(
    passSockets(sockets, commandLine([...args, ...(args.includes('--engine') ? [] : ENGINE)]), owner),
    options,
  );
}

describeWith('python3', 'a socket that a service manager passed', () => {
  test.each([
    { kind: 'udp4', address: /^127\.0\.0\.1:\d+$/ },
    { kind: 'udp6', address: /^\[::1\]:\d+$/ },
    { kind: 'udpany', address: /^\[::\]:\d+$/ },
  ])('is served without an address, $kind, and its waiting datagrams are not lost', async ({ kind, address }) => {
    await using server = startWith(kind, ['serve', '--reply', 'pong', '--count', '2', '--no-meta']);
    const local = await server.listening();
    expect(local).toMatch(address);
    const target = local.replace('[::]', '[::1]');
    expect((await udpcat(['send', target, 'ping', '--expect-exact', 'pong'])).status).toBe(0);
    expect(await server.outcome).toMatchObject({ status: 0, stdout: Buffer.from('waited\nping\n') });
  });

  test('is used by echo, for both families if it is bound to every interface', async () => {
    await using server = startWith('udpany', ['echo']);
    const port = /\d+$/.exec(await server.listening())?.[0] ?? '';
    for (const host of ['127.0.0.1', '[::1]']) {
      expect((await udpcat(['send', `${host}:${port}`, 'ping', '--expect-exact', 'ping'])).status).toBe(0);
    }
  });

  test('is counted and described as every other socket', async () => {
    await using server = startWith('udp4', ['serve', '-o', 'json', '--count', '1']);
    const address = await server.listening();
    const { stdout, status } = await server.outcome;
    expect(status).toBe(0);
    const lines = jsonLines(stdout);
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ type: 'listening', address }),
        expect.objectContaining({ type: 'datagram', to: address, data: 'waited' }),
      ]),
    );
    expect(lines.at(-1)).toMatchObject({ type: 'summary', dropped: { kernel: 0, queue: 0, output: 0 } });
  });

  test.each([
    { what: 'of TCP', sockets: 'tcp4', says: /no UDP socket, but TCP; write ListenDatagram=/ },
    { what: 'beside another', sockets: 'udp4,udp6', says: /on 2 sockets.*LISTEN_FDS.*one ListenDatagram=/ },
  ])('$what is an error of one line', async ({ sockets, says }) => {
    await using server = startWith(sockets, ['serve']);
    const { stdout, stderr, status } = await server.outcome;
    expect({ stdout: stdout.toString(), status }).toEqual({ stdout: '', status: 1 });
    expect(stderr).toMatch(says);
    expect(stderr.match(/\n/g)).toHaveLength(1);
  });

  test.each([
    { args: ['serve', '127.0.0.1:0'], says: /two addresses: "127\.0\.0\.1:0".*LISTEN_FDS/ },
    { args: ['echo', '--bind', '0'], says: /two addresses: "0".*LISTEN_FDS/ },
    { args: ['serve', '-6'], says: /127\.0\.0\.1/ },
  ])('is a usage error with $args', async ({ args, says }) => {
    await using server = startWith('udp4', args);
    const { stderr, status } = await server.outcome;
    expect(status).toBe(2);
    expect(stderr).toMatch(says);
    expect(stderr.match(/\n/g)).toHaveLength(1);
  });

  testWithLinuxEngine('is an error of one line with --engine linux, which tells the remedy', async () => {
    await using server = startWith('udp4', ['serve', '--engine', 'linux']);
    expect(await server.outcome).toMatchObject({
      status: 1,
      stderr: 'udpcat: the linux engine cannot adopt an inherited socket; the node engine can\n',
    });
  });

  test('is not touched where LISTEN_PID names another process', async () => {
    await using server = startWith('udp4', ['serve', '127.0.0.1:0', '--duration', '10ms'], { owner: '1' });
    expect(await server.outcome).toMatchObject({ status: 0, stdout: Buffer.alloc(0) });
  });
});

describe('variables that pass nothing', () => {
  testWithShell.each([{ LISTEN_FDS: '0' }, { LISTEN_FDS: '' }, { LISTEN_FDS: 'x' }, { LISTEN_FDS: '1' }])(
    '%j',
    async (env) => {
      await using server = shell(`LISTEN_PID=$$ exec ${commandLine(['serve', '--duration', '10ms'])}`, { env });
      const { status, stderr } = await server.outcome;
      // Descriptor 3 is closed.
      if (env.LISTEN_FDS === '1') expect(stderr).toMatch(/no UDP socket/);
      expect(status).toBe(env.LISTEN_FDS === '1' ? 1 : 0);
    },
  );
});

testWith('systemd-socket-activate', 'systemd-socket-activate starts the service with its first datagram', async () => {
  const port = String(await closedPort(4));
  const listen = `systemd-socket-activate --datagram --listen 127.0.0.1:${port}`;
  await using manager = shell(`exec ${listen} ${commandLine(['echo', '--count', '2', ...ENGINE])}`);
  await manager.until('Listening on', 'stderr');
  for (const message of ['first', 'second']) {
    const { status } = await udpcat(['send', `127.0.0.1:${port}`, message, '--expect-exact', message, '-w', '1m']);
    expect({ message, status }).toEqual({ message, status: 0 });
  }
  const { stderr, status } = await manager.outcome;
  expect(stderr).toContain(`udpcat: listening on 127.0.0.1:${port}\n`);
  expect(status).toBe(0);
});

/**
 * Writes the sender of each message, and the message. Closes passed descriptors, because `systemd-notify` waits for
 * that.
 */
const MANAGER = `
import os, socket, struct, sys
name = sys.argv[1]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
manager.bind('\\0' + name[1:] if name[0] == '@' else name)
print('bound', flush=True)
while True:
    message, controls, _, _ = manager.recvmsg(4096, 1024)
    for level, kind, control in controls:
        if kind == socket.SCM_CREDENTIALS:
            print(struct.unpack('iII', control)[0], message.decode(), flush=True)
        else:
            os.close(struct.unpack('i', control)[0])
`;

/** Opens a socket for NOTIFY_SOCKET. Keeps each message, with the id of the process that sent it. */
async function startManager(socket: string): Promise<Running & { readonly socket: string }> {
  const running = shell(`exec python3 -c ${quote(MANAGER)} ${quote(socket)}`);
  await running.until('bound');
  return Object.assign(running, { socket });
}

/** Returns the messages that a service manager got, without their senders. */
const heard = (text: string): readonly string[] => text.match(/READY=1|STOPPING=1/g) ?? [];

describeWith('python3', 'a service manager that wants to be told', () => {
  describe.each([
    { socket: 'of a path', name: (): string => join(mkdtempSync(join(folder, 'manager-')), 'socket') },
    { socket: 'of an abstract name', name: (): string => `@udpcat-${process.pid}` },
  ])('by a socket $socket', ({ name }) => {
    testWithLinuxEngine(
      'hears from the service itself with the linux engine: when it is ready, and when it stops',
      async () => {
        await using manager = await startManager(name());
        const env = { NOTIFY_SOCKET: manager.socket, PATH: folder };
        await using server = start(['serve', '127.0.0.1:0', '--engine', 'linux'], { env });
        await manager.until(`${server.pid} READY=1\n`);
        expect((await udpcat(['send', await server.listening(), 'hello'])).status).toBe(0);
        await server.until('hello');
        server.kill();
        await manager.until(RegExp(`^bound\n${server.pid} READY=1\n${server.pid} STOPPING=1\n$`));
        expect(await server.outcome).toMatchObject({
          status: 0,
          stderr: expect.stringMatching(/^.* listening on .*\n$/),
        });
      },
    );

    testWith('systemd-notify', 'hears the same with the node engine', async () => {
      await using manager = await startManager(name());
      const env = { NOTIFY_SOCKET: manager.socket };
      await using server = start(['echo', '127.0.0.1:0', '--engine', 'node'], { env });
      await manager.until('READY=1');
      server.kill();
      const [told] = await manager.until(/READY=1.*STOPPING=1/s);
      expect(heard(told)).toEqual(['READY=1', 'STOPPING=1']);
      expect(await server.outcome).toMatchObject({
        status: 0,
        stderr: expect.stringMatching(/^.* listening on .*\n$/),
      });
    });
  });

  testWith('systemd-notify', 'hears once of an end by --count and by --idle', async () => {
    await using manager = await startManager(join(folder, 'ends'));
    const env = { NOTIFY_SOCKET: manager.socket };
    await using counted = start(['echo', '127.0.0.1:0', '--count', '1'], { env });
    expect((await udpcat(['send', await counted.listening(), 'x', '--expect', 'x'])).status).toBe(0);
    expect((await counted.outcome).status).toBe(0);
    expect((await udpcat(['serve', '127.0.0.1:0', '--idle', '10ms'], { env })).status).toBe(0);
    const [told] = await manager.until(/(?:READY=1.*STOPPING=1.*){2}/s);
    expect(heard(told)).toEqual(['READY=1', 'STOPPING=1', 'READY=1', 'STOPPING=1']);
  });

  testWith('systemd-notify', 'hears nothing of a service that could not be started', async () => {
    await using manager = await startManager(join(folder, 'failed'));
    const env = { NOTIFY_SOCKET: manager.socket };
    expect((await udpcat(['serve', '192.0.2.1:0'], { env })).status).toBe(1);
    expect((await udpcat(['serve', '127.0.0.1:0', '--duration', '10ms'], { env })).status).toBe(0);
    const [told] = await manager.until(/^.*STOPPING=1/s);
    expect(heard(told)).toEqual(['READY=1', 'STOPPING=1']);
  });

  testWithShell.each(ENGINE_NAMES)(
    'hears systemd-notify with the %s engine if the system call cannot be used',
    async (engine) => {
      const bin = mkdtempSync(join(folder, 'program-'));
      const told = join(bin, 'told');
      writeFileSync(join(bin, 'systemd-notify'), `#!/bin/sh\necho "$1" >>${quote(told)}\n`, { mode: 0o755 });
      // The name is too long for the system call.
      await using manager = await startManager(join(bin, 'socket'));
      const socket = engine === 'linux' ? join(bin, 'x'.repeat(108)) : manager.socket;
      const env = { NOTIFY_SOCKET: socket, PATH: bin };
      const { stderr } = await udpcat(['serve', '127.0.0.1:0', '--duration', '10ms', '--engine', engine], { env });
      expect(stderr).toMatch(/^.* listening on .*\n$/);
      expect(heard(readFileSync(told, 'utf8'))).toEqual(['READY=1', 'STOPPING=1']);
      manager.kill();
      expect((await manager.outcome).stdout.toString()).toBe('bound\n');
    },
  );
});

describe('a service manager that cannot be told', () => {
  /** Makes a PATH without a program, or with this one. */
  function path(name: string, script?: string): string {
    const bin = mkdtempSync(join(folder, `${name}-`));
    if (script !== undefined) writeFileSync(join(bin, 'systemd-notify'), script, { mode: 0o755 });
    symlinkSync('/bin/sh', join(bin, 'sh'));
    symlinkSync('/bin/sleep', join(bin, 'sleep'));
    return bin;
  }

  testWithShell.each([
    {
      what: 'for want of systemd-notify',
      script: undefined,
      says: /systemd-notify is not installed; without it, use Type=exec in the unit$/m,
    },
    {
      what: 'because that fails',
      script: '#!/bin/sh\necho No such socket >&2\nexit 1\n',
      says: /systemd-notify: No such socket$/m,
    },
  ])('is one warning, $what', async ({ script, says }) => {
    const socket = join(folder, 'nobody');
    const env = { NOTIFY_SOCKET: socket, PATH: path('none', script) };
    for (const engine of ENGINE_NAMES) {
      const command = ['serve', '127.0.0.1:0', '--duration', '10ms', '--engine', engine];
      const { stderr, status } = await udpcat(command, { env });
      expect(status).toBe(0);
      expect(stderr).toMatch(says);
      const first = engine === 'node' ? 'systemd-notify' : `${socket}: no such file (ENOENT); systemd-notify`;
      expect(stderr.split('cannot tell').slice(1)).toEqual([
        expect.stringContaining(` the service manager READY=1: ${first}`),
      ]);
    }
  });

  testWithShell('delays neither the service nor its end', async () => {
    const env = { NOTIFY_SOCKET: join(folder, 'nobody'), PATH: path('slow', '#!/bin/sh\nexec sleep 60\n') };
    await using server = start(['echo', '127.0.0.1:0'], { env });
    expect((await udpcat(['send', await server.listening(), 'x', '--expect', 'x'])).status).toBe(0);
    server.kill();
    expect(await server.outcome).toMatchObject({ status: 0 });
  });
});
