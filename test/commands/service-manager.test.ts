import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeWith, testWith } from '../support/peers.js';
import { jsonLines } from '../support/service.js';
import { closedPort } from '../support/sockets.js';
import { passSockets } from '../support/passing.js';
import { commandLine, type Running, shell, start, type StartOptions, udpcat } from '../support/udpcat.js';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-manager-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Starts udpcat with these sockets, see {@link passSockets}. */
function startWith(
  sockets: string,
  args: readonly string[],
  { owner, ...options }: StartOptions & { readonly owner?: string } = {},
): Running {
  return shell(passSockets(sockets, commandLine(args), owner), options);
}

describeWith('python3', 'a socket that a service manager passed', () => {
  test.each([
    { kind: 'udp4', address: /^127\.0\.0\.1:\d+$/ },
    { kind: 'udp6', address: /^\[::1\]:\d+$/ },
    { kind: 'udpany', address: /^\[::\]:\d+$/ },
  ])('is served without an address, $kind, and what waited in it is not lost', async ({ kind, address }) => {
    await using server = startWith(kind, ['serve', '--reply', 'pong', '--count', '2', '--no-meta']);
    const local = await server.listening();
    expect(local).toMatch(address);
    const target = local.replace('[::]', '[::1]');
    expect((await udpcat(['send', target, 'ping', '--expect-exact', 'pong'])).status).toBe(0);
    expect(await server.outcome).toMatchObject({ status: 0, stdout: Buffer.from('waited\nping\n') });
  });

  test('is echoed on, from both families where it is bound to every interface', async () => {
    await using server = startWith('udpany', ['echo']);
    const port = /\d+$/.exec(await server.listening())?.[0] ?? '';
    for (const host of ['127.0.0.1', '[::1]']) {
      expect((await udpcat(['send', `${host}:${port}`, 'ping', '--expect-exact', 'ping'])).status).toBe(0);
    }
  });

  test('is counted and described as any other', async () => {
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

  test('is not touched where LISTEN_PID names another process', async () => {
    await using server = startWith('udp4', ['serve', '127.0.0.1:0', '--duration', '10ms'], { owner: '1' });
    expect(await server.outcome).toMatchObject({ status: 0, stdout: Buffer.alloc(0) });
  });
});

describe('variables that pass nothing', () => {
  test.each([{ LISTEN_FDS: '0' }, { LISTEN_FDS: '' }, { LISTEN_FDS: 'x' }, { LISTEN_FDS: '1' }])('%j', async (env) => {
    await using server = shell(`LISTEN_PID=$$ exec ${commandLine(['serve', '--duration', '10ms'])}`, { env });
    const { status, stderr } = await server.outcome;
    // Descriptor 3 is closed.
    if (env.LISTEN_FDS === '1') expect(stderr).toMatch(/no UDP socket/);
    expect(status).toBe(env.LISTEN_FDS === '1' ? 1 : 0);
  });
});

testWith('systemd-socket-activate', 'systemd-socket-activate starts the service with its first datagram', async () => {
  const port = String(await closedPort(4));
  const listen = `systemd-socket-activate --datagram --listen 127.0.0.1:${port}`;
  await using manager = shell(`exec ${listen} ${commandLine(['echo', '--count', '2'])}`);
  await manager.until('Listening on', 'stderr');
  for (const message of ['first', 'second']) {
    const { status } = await udpcat(['send', `127.0.0.1:${port}`, message, '--expect-exact', message, '-w', '10s']);
    expect({ message, status }).toEqual({ message, status: 0 });
  }
  const { stderr, status } = await manager.outcome;
  expect(stderr).toContain(`udpcat: listening on 127.0.0.1:${port}\n`);
  expect(status).toBe(0);
});

/** A socket such as NOTIFY_SOCKET names, and what was sent to it. */
async function startManager(name: string): Promise<Running & { readonly path: string }> {
  const path = join(folder, name);
  const running = shell(`exec socat -d -d -u UNIX-RECV:${path} -`);
  await running.until('starting data transfer loop', 'stderr');
  return Object.assign(running, { path });
}

describeWith('socat', 'a service manager that wants to be told', () => {
  testWith('systemd-notify', 'hears when the service is ready, and when it stops', async () => {
    await using manager = await startManager('signal');
    await using server = start(['serve', '127.0.0.1:0'], { env: { NOTIFY_SOCKET: manager.path } });
    await manager.until('READY=1');
    expect((await udpcat(['send', await server.listening(), 'hello'])).status).toBe(0);
    await server.until('hello');
    server.kill();
    await manager.until(/READY=1.*STOPPING=1/s);
    expect(await server.outcome).toMatchObject({ status: 0, stderr: expect.stringMatching(/^.* listening on .*\n$/) });
  });

  testWith('systemd-notify', 'hears of an end by --count and by --idle too, once', async () => {
    await using manager = await startManager('ends');
    const env = { NOTIFY_SOCKET: manager.path };
    await using counted = start(['echo', '127.0.0.1:0', '--count', '1'], { env });
    expect((await udpcat(['send', await counted.listening(), 'x', '--expect', 'x'])).status).toBe(0);
    expect((await counted.outcome).status).toBe(0);
    expect((await udpcat(['serve', '127.0.0.1:0', '--idle', '10ms'], { env })).status).toBe(0);
    const [told] = await manager.until(/(?:READY=1.*STOPPING=1.*){2}/s);
    expect(told.replaceAll(/BARRIER=1|\s/g, '')).toBe('READY=1STOPPING=1READY=1STOPPING=1');
  });

  testWith('systemd-notify', 'hears nothing of a service that could not be started', async () => {
    await using manager = await startManager('failed');
    const env = { NOTIFY_SOCKET: manager.path };
    expect((await udpcat(['serve', '192.0.2.1:0'], { env })).status).toBe(1);
    expect((await udpcat(['serve', '127.0.0.1:0', '--duration', '10ms'], { env })).status).toBe(0);
    const [told] = await manager.until(/STOPPING=1/);
    expect(told).toBe('STOPPING=1');
    manager.kill();
    expect((await manager.outcome).stdout.toString().match(/READY=1/g)).toHaveLength(1);
  });
});

describe('a service manager that cannot be told', () => {
  /** A PATH with no program, or with this one. */
  function path(name: string, script?: string): string {
    const bin = mkdtempSync(join(folder, `${name}-`));
    if (script !== undefined) writeFileSync(join(bin, 'systemd-notify'), script, { mode: 0o755 });
    symlinkSync('/bin/sh', join(bin, 'sh'));
    symlinkSync('/bin/sleep', join(bin, 'sleep'));
    return bin;
  }

  test.each([
    {
      what: 'for want of systemd-notify',
      script: undefined,
      says: /READY=1: systemd-notify is not installed.*Type=exec/,
    },
    {
      what: 'because that fails',
      script: '#!/bin/sh\necho No such socket >&2\nexit 1\n',
      says: /READY=1: systemd-notify: No such socket$/m,
    },
  ])('is one warning, $what', async ({ script, says }) => {
    const env = { NOTIFY_SOCKET: join(folder, 'nobody'), PATH: path('none', script) };
    const { stderr, status } = await udpcat(['serve', '127.0.0.1:0', '--duration', '10ms'], { env });
    expect(status).toBe(0);
    expect(stderr).toMatch(says);
    expect(stderr.match(/cannot tell/g)).toHaveLength(1);
  });

  test('holds up neither the service nor its end', async () => {
    const env = { NOTIFY_SOCKET: join(folder, 'nobody'), PATH: path('slow', '#!/bin/sh\nexec sleep 60\n') };
    await using server = start(['echo', '127.0.0.1:0'], { env });
    expect((await udpcat(['send', await server.listening(), 'x', '--expect', 'x'])).status).toBe(0);
    server.kill();
    expect(await server.outcome).toMatchObject({ status: 0 });
  });
});
