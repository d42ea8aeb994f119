import { describe, expect, test } from '@jest/globals';
import {
  answeringServer,
  closedAddress,
  echoServer,
  freeAddress,
  silentServer,
  strayServer,
} from '../support/sockets.js';
import { ended } from '../support/processes.js';
import { commandLine, shell, start, udpcat } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

const FAST = ['--interval', '5s', '--retry-interval', '100ms'];

describe('--until', () => {
  test.concurrent('up ends as soon as all targets are up, after one check of each', async () => {
    await using one = await echoServer();
    await using two = await echoServer(6);
    const { stdout, status } = await udpcat([
      'watch',
      one.address,
      two.address,
      '--until',
      'up',
      '--interval',
      '200ms',
    ]);
    expect(status).toBe(0);
    expect(String(stdout).match(/ up after \w+ unknown: ok, 1 of 1\n/g)).toHaveLength(2);
  });

  test.concurrent('up waits for a service that comes up', async () => {
    const address = await freeAddress();
    await using running = start(['watch', address, '--until', 'up', '--interval', '100ms']);
    await running.until(/ refused: /);
    await using _peer = await echoServer(4, Number(address.split(':').at(-1)));
    expect((await running.outcome).status).toBe(0);
  });

  test.concurrent('down ends as soon as all are down', async () => {
    const args = ['watch', await closedAddress(), await closedAddress(), '--until', 'down', '--interval', '200ms'];
    const { stdout, status } = await udpcat(args);
    expect(status).toBe(0);
    expect(String(stdout).match(/ down after \w+ unknown: refused, 1 of 1\n/g)).toHaveLength(2);
  });

  test.concurrent('keeps --rise and --fall if they are given', async () => {
    await using peer = await echoServer();
    const args = ['watch', peer.address, '--until', 'up', ...FAST, '--rise', '3'];
    expect(String((await udpcat(args)).stdout)).toMatch(/ ok, 3 of 3\n$/);
  });

  test.concurrent.each([
    { until: 'up', status: 4, what: 'that refuses' },
    { until: 'down', status: 3, what: 'that is up' },
  ])('$until a service $what, cut short by --duration, is $status', async ({ until, status }) => {
    await using peer = await echoServer();
    const address = until === 'up' ? await closedAddress() : peer.address;
    const args = ['watch', address, '--until', until, '--interval', '30s', '--duration', '3s', '-o', 'none'];
    expect((await udpcat(args)).status).toBe(status);
  });
});

describe('--checks', () => {
  test.concurrent('makes so many checks of every target', async () => {
    await using one = await echoServer();
    await using two = await echoServer();
    const args = ['watch', one.address, two.address, '--checks', '3', ...FAST, '--rise', '3'];
    expect((await udpcat(args)).status).toBe(0);
    expect([one.received.length, two.received.length]).toEqual([3, 3]);
  });

  const WAIT = ['--interval', '30s', '--wait', '5s', '--checks', '1'];
  test.concurrent.each([
    { what: 'mismatch', status: 5, open: () => answeringServer(['wrong']), args: ['--expect', 'right', ...WAIT] },
    { what: 'stray', status: 6, open: () => strayServer(), args: WAIT },
    {
      what: 'silent',
      status: 3,
      open: () => silentServer(),
      args: ['--interval', '1s', '--wait', '100ms', '--checks', '1'],
    },
  ])('of a service that is $what ends with $status', async ({ status, open, args }) => {
    await using peer = await open();
    expect((await udpcat(['watch', peer.address, ...args])).status).toBe(status);
  });

  test.concurrent('of a name that does not exist ends with 1, beside another that is refused with 4', async () => {
    const args = ['--interval', '30s', '--checks', '1', '-o', 'none'];
    expect((await udpcat(['watch', 'no-such-name.invalid:53', ...args])).status).toBe(1);
    const both = ['watch', 'no-such-name.invalid:53', await closedAddress(), '--interval', '1s', '--checks', '1'];
    expect((await udpcat(both)).status).toBe(4);
  });

  test.concurrent('ends with 0 if one of the last --fall checks passed', async () => {
    let asked = 0;
    await using peer = await answeringServer(() => (asked++ === 0 ? ['a reply'] : []));
    const times = ['--interval', '30s', '--retry-interval', '100ms', '--wait', '2s'];
    const { status, stdout } = await udpcat(['watch', peer.address, ...times, '--checks', '2']);
    expect([status, String(stdout)]).toEqual([0, expect.stringMatching(/ ok [^]* silent: /)]);
  });
});

describe('a signal', () => {
  test.concurrent.each(['SIGINT', 'SIGTERM'] as const)(
    '%s ends a watch without an end with 0, and its summary',
    async (signal) => {
      await using peer = await echoServer();
      await using running = start(['watch', peer.address, ...FAST, '--stats']);
      await running.until(/ ok /);
      running.kill(signal);
      const { status, stderr } = await running.outcome;
      expect(status).toBe(0);
      expect(stderr).toMatch(/udpcat: \d checks? of 1 target\n/);
    },
  );

  test.concurrent.each([
    ['--checks', '1000'],
    ['--until', 'down'],
  ])('ends a watch with %s by itself', async (...args) => {
    await using peer = await echoServer();
    await using running = start(['watch', peer.address, ...FAST, ...args]);
    await running.until(/ ok /);
    running.kill('SIGINT');
    expect(await running.outcome).toMatchObject({ status: null, signal: 'SIGINT' });
  });

  test.concurrent('gives a check under way up', async () => {
    await using peer = await silentServer();
    await using running = start(['watch', peer.address, '--interval', '1h', '--wait', '30m']);
    await peer.collect(1);
    running.kill('SIGTERM');
    expect(await running.outcome).toMatchObject({ status: 0, stdout: Buffer.alloc(0) });
  });
});

describe('--duration', () => {
  test.concurrent('ends a watch with 0, whatever was found', async () => {
    const args = ['watch', await closedAddress(), ...FAST, '--duration', '500ms', '-o', 'none'];
    expect((await udpcat(args)).status).toBe(0);
  });
});

describe('programs of --on-change', () => {
  const HOOK = ['--shell', '--on-change'];

  test.concurrent('run at each change, but not when a target is found up', async () => {
    const first = await echoServer();
    const { port, address } = first;
    const hook = 'echo "$UDPCAT_TARGET is $UDPCAT_STATE after $UDPCAT_PREVIOUS" >&2';
    await using running = start(['watch', address, '--interval', '200ms', '--retry-interval', '100ms', ...HOOK, hook]);
    await running.until(/ up after/);
    await first[Symbol.asyncDispose]();
    await running.until(`${address} is down after up`, 'stderr');
    await using _second = await echoServer(4, port);
    await running.until(`${address} is up after down`, 'stderr');
    running.kill();
    const { stderr, status } = await running.outcome;
    expect(status).toBe(0);
    expect(stderr).not.toContain('after unknown');
  });

  test.concurrent('run when the first state of a target is down, and are waited for at the end', async () => {
    const address = await closedAddress();
    const args = ['watch', address, '--until', 'down', ...FAST, ...HOOK, 'sleep 0.3; cat >&2; echo done >&2'];
    const { stderr, status } = await udpcat(args);
    expect(status).toBe(0);
    expect(stderr).toMatch(/"from":"unknown","to":"down","verdict":"refused"/);
    expect(stderr).toMatch(/ done\n$/);
  });

  test.concurrent('that fail are a warning and a count', async () => {
    const args = ['watch', await closedAddress(), '--until', 'down', ...FAST, ...HOOK, 'exit 3', '-o', 'json'];
    const { stdout, stderr, status } = await udpcat(args);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^udpcat: warning: --on-change for \S+: the program ended with status 3\n$/);
    const all = String(stdout).trimEnd().split('\n');
    expect(JSON.parse(all.at(-2) ?? '')).toMatchObject({ type: 'error', code: 'HOOK_FAILED' });
    expect(JSON.parse(all.at(-1) ?? '')).toMatchObject({
      targets: [{ hooks: { ok: 0, failed: 1, timeout: 0, superseded: 0 } }],
    });
  });

  test.concurrent('are killed by a second signal, and none outlives watch', async () => {
    const args = ['watch', await closedAddress(), ...FAST, ...HOOK, 'sleep 1000 & echo running $! >&2; wait'];
    await using running = start(args);
    const [, pid] = await running.until(/running (\d+)/, 'stderr');
    // Two different signals: a second one of the same kind is lost while the first is pending.
    running.kill('SIGINT');
    running.kill('SIGTERM');
    expect((await running.outcome).stderr).toContain('the program was killed, because the run ended');
    await ended(Number(pid));
  });

  test.concurrent('get no shell unless asked for, and must be there', async () => {
    const missing = await udpcat(['watch', '127.0.0.1:9', '--on-change', 'no-such-program']);
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringMatching(/cannot run no-such-program/) });
  });
});

testWithShell.concurrent('watch waits for a service as the example of the contract does', async () => {
  await using peer = await echoServer();
  const args = ['watch', '--until', 'up', '--duration', '60s', '--interval', '250ms', peer.address];
  await using running = shell(`${commandLine(args)} && echo deployed`);
  await running.until('deployed');
});
