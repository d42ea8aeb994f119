/** udpcat with other runtimes: Bun, Deno, and a Node for arm64 under an emulator. */
import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { describeRuntime, type OnRuntime } from '../support/runtimes.js';
import { closedAddress, echoServer, silentServer } from '../support/sockets.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

/** Declares the tests that hold with each runtime but an emulator, which is slow. */
function testCommands(on: OnRuntime): void {
  const { run } = on;
  test('--version writes the version', async () => {
    expect(await run(['--version'])).toMatchObject({ stdout: Buffer.from(`${version}\n`), stderr: '', status: 0 });
  });

  test.each([4, 6] as const)('send judges the reply, over IPv%d', async (family) => {
    await using server = await echoServer(family);
    const send = ['send', server.address, 'hello', '-w', '60s'];
    expect(await run(send)).toMatchObject({ stdout: Buffer.from('hello\n'), status: 0 });
    expect(await run([...send, '--expect-regex', '^h.l+o$'])).toMatchObject({ status: 0 });
    const mismatch = await run(['send', server.address, 'hello', '-w', '100ms', '--expect', 'other']);
    expect([3, 5]).toContain(mismatch.status);
    expect((await run(['send', server.address, '-w', 'soon', 'hello'])).status).toBe(2);
  });

  testSilence(on);
  testMany(on);
  testInterruption(on);
  testServices(on, ['127.0.0.1:0', '[::1]:0', '*:0']);
}

function testSilence({ run }: OnRuntime): void {
  test('send tells silence', async () => {
    await using server = await silentServer(4);
    expect(await run(['send', server.address, 'hello', '-w', '100ms'])).toMatchObject({ status: 3 });
  });
}

function testMany({ run }: OnRuntime): void {
  test('send sends many with the engine that auto chooses', async () => {
    await using server = await echoServer(4);
    const args = ['send', server.address, 'hello', '-c', '20', '--rate', '1000', '-w', '60s', '-o', 'none'];
    expect((await run(args)).status).toBe(0);
  });
}

function testInterruption({ start }: OnRuntime): void {
  test('an interrupted send ends by the signal', async () => {
    await using server = await silentServer(4);
    await using running = start(['send', server.address, 'hello', '-w', '1h']);
    await server.collect(1);
    running.kill('SIGINT');
    const { status, signal } = await running.outcome;
    // An emulator may end with the status of a shell.
    expect(signal ?? status).toBe(status === null ? 'SIGINT' : 130);
  });
}

/**
 * Declares the tests of services.
 *
 * @param addresses the addresses at which each of them listens
 * @param says words that each writes with -v
 */
function testServices({ start }: OnRuntime, addresses: readonly string[], says = 'udpcat: '): void {
  test.each([
    ['serve', ['serve', '--reply', 'hello']],
    ['serve --exec', ['serve', '--exec', 'cat']],
    ['echo', ['echo']],
  ])('%s answers, and ends in order after a signal', async (_name, args) => {
    for (const address of addresses) {
      await using server = start([...args, address, '-v']);
      const to = (await server.listening()).replace('[::]', '[::1]');
      await server.until(says, 'stderr');
      await using peer = await silentServer(to.startsWith('[') ? 6 : 4);
      await peer.send('hello', to);
      expect(String((await peer.collect(1))[0]?.data)).toBe('hello');
      server.kill('SIGTERM');
      expect(await server.outcome).toMatchObject({ status: 0, signal: null });
    }
  });
}

/** Declares that `auto` uses the node engine and `linux` is an error, both with the reason. */
function testWithoutLinuxEngine(runtime: string, { start, run }: OnRuntime): void {
  const why = `it needs the event loop of Node, and this is ${runtime}`;

  test('auto uses the node engine and says why; the linux engine is an error', async () => {
    await using server = start(['serve', '127.0.0.1:0', '-v']);
    await server.until(`udpcat: the node engine is used: the linux engine is not available: ${why}`, 'stderr');
    const { stderr, status } = await run(['serve', '127.0.0.1:0', '--engine', 'linux']);
    expect(stderr).toContain(why);
    expect(status).toBe(1);
  });
}

/** Declares that a name is looked up by a child, which is the same runtime. */
function testLookup({ run }: OnRuntime): void {
  test('send looks a name up under a deadline', async () => {
    const { stderr, status } = await run(['send', 'no-such-name.invalid:9', 'hello', '--deadline', '10m']);
    expect(stderr).toMatch(/^udpcat: cannot resolve no-such-name\.invalid: [^\n]*\((ENOTFOUND|EAI_AGAIN)\)\n$/);
    expect(status).toBe(1);
  });
}

describeRuntime('bun', 'with Bun', (on) => {
  testCommands(on);
  testLookup(on);
  testWithoutLinuxEngine('Bun', on);

  test('send tells a refusal', async () => {
    expect((await on.run(['send', await closedAddress(4), 'hello', '-w', '60s'])).status).toBe(4);
  });
});

describeRuntime('deno', 'with Deno', (on) => {
  testCommands(on);
  testLookup(on);
  testWithoutLinuxEngine('Deno', on);

  test('send hears no refusal: the docs say so', async () => {
    expect((await on.run(['send', await closedAddress(4), 'hello', '-w', '100ms'])).status).toBe(3);
  });
});

describeRuntime('arm64', 'with Node for arm64 under qemu-user', (on) => {
  // JavaScript is the same with each processor: these tests try the calls of the system, and start few processes, because the
  // emulator takes some seconds for each.
  test.each([4, 6] as const)('send judges the reply, over IPv%d', async (family) => {
    await using server = await echoServer(family);
    const { stdout, status } = await on.run([
      'send',
      server.address,
      'hello',
      '-w',
      '60s',
      '--expect-regex',
      '^h.l+o$',
    ]);
    expect({ stdout: stdout.toString(), status }).toEqual({ stdout: 'hello\n', status: 0 });
  });

  testSilence(on);
  testMany(on);
  testInterruption(on);
  testServices(on, ['*:0'], 'udpcat: the linux engine is used');

  test('send tells a refusal', async () => {
    expect((await on.run(['send', await closedAddress(4), 'hello', '-w', '60s'])).status).toBe(4);
  });
});
