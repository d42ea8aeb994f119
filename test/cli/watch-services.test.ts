/** Services that people run, which are started, stopped and started again while they are watched. */
import { describe, expect, test } from '@jest/globals';
import { type Daemon, type DaemonOptions, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { closedAddress } from '../support/sockets.js';
import { start, udpcat } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

const SERVICES: readonly { readonly daemon: DaemonOptions; readonly probe: string; readonly wrong: string }[] = [
  {
    probe: 'dns:example.com',
    wrong: 'dns:other.example',
    daemon: {
      program: 'dnsmasq',
      args: ({ port, folder }) => [
        ...['--keep-in-foreground', `--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--user=root'],
        ...['--no-resolv', '--no-hosts', '--conf-file=/dev/null', `--pid-file=${folder}/pid`],
        '--address=/example.com/192.0.2.10',
      ],
    },
  },
  {
    probe: 'ntp',
    wrong: 'dns:example.com',
    daemon: {
      program: 'chronyd',
      files: ({ port, folder }) => ({
        'chrony.conf': [
          ...[`port ${port}`, 'bindaddress 127.0.0.1', 'allow', 'cmdport 0', 'bindcmdaddress /', 'user root'],
          ...[`pidfile ${folder}/pid`, `driftfile ${folder}/drift`, 'local stratum 5', ''],
        ].join('\n'),
      }),
      args: ({ folder }) => ['-d', '-x', '-U', '-f', `${folder}/chrony.conf`],
    },
  },
  {
    probe: 'stun',
    wrong: 'dns:example.com',
    daemon: {
      program: 'turnserver',
      args: ({ port, folder }) => [
        ...['-n', '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1', `--listening-port=${port}`],
        ...['--no-tls', '--no-dtls', '--no-cli', '--no-tcp', '--no-auth', '--log-file=stdout'],
        ...[`--userdb=${folder}/db`, `--pidfile=${folder}/pid`],
      ],
    },
  },
];

const TIMES = ['--interval', '400ms', '--retry-interval', '200ms'];

for (const { daemon, probe, wrong } of SERVICES) {
  describeWith(daemon.program, daemon.program, () => {
    testWithShell.concurrent('is seen to go, to come back, and to hang', async () => {
      let service: Daemon = await startDaemon(daemon);
      try {
        const { port, address } = service;
        await using running = start(['watch', address, '--probe', probe, ...TIMES, '-o', 'states']);
        await running.until(/ up after \w+ unknown: ok, 2 of 2/);
        await service[Symbol.asyncDispose]();
        await running.until(/ down after \w+ up: (refused|silent), 3 of 3/);
        service = await startDaemon({ ...daemon, port });
        await running.until(/ up after \w+ down: ok, 2 of 2/);
        service.kill('SIGSTOP');
        await running.until(/ down after \w+ up: silent, 3 of 3/);
        service.kill('SIGCONT');
        await running.until(/ up [^]* down [^]* up [^]* down [^]* up after \w+ down: ok, 2 of 2/);
        running.kill();
        expect((await running.outcome).status).toBe(0);
      } finally {
        await service[Symbol.asyncDispose]();
      }
    });

    test.concurrent('is not up for another question than it answers', async () => {
      await using service = await startDaemon(daemon);
      const args = ['watch', service.address, '--probe', wrong, '--interval', '30s', '--wait', '3s', '--checks', '1'];
      const { status, stdout } = await udpcat(args);
      expect([3, 5]).toContain(status);
      expect(String(stdout)).toMatch(/ (silent|mismatch): /);
    });
  });
}

describe('udpcat echo with faults', () => {
  test.concurrent('that loses half of the datagrams is up with --max-loss, and not without', async () => {
    await using echo = start(['echo', '127.0.0.1:0', '--loss', '50%', '--seed', '1']);
    const address = await echo.listening();
    const watch = (...args: string[]): Promise<{ status: number | null }> =>
      udpcat(['watch', address, '-c', '30', '--interval', '30s', '--wait', '3s', '--checks', '1', ...args]);
    expect((await watch('--max-loss', '90%')).status).toBe(0);
    expect((await watch()).status).toBe(3);
  });

  test.concurrent('that delays is slow', async () => {
    await using echo = start(['echo', '127.0.0.1:0', '--delay', '50ms']);
    const address = await echo.listening();
    const args = ['watch', address, '--interval', '30s', '--wait', '10s', '--checks', '1', '--warn', '20ms'];
    expect(await udpcat(args)).toMatchObject({ status: 0, stdout: expect.anything() });
    expect(String((await udpcat(args)).stdout)).toMatch(/ slow \d+/);
  });

  test.concurrent('that answers nobody for a while is down for that while', async () => {
    await using echo = start(['echo', '127.0.0.1:0', '--loss', '100%']);
    const address = await echo.listening();
    const args = ['watch', address, '--until', 'down', '--interval', '500ms', '--wait', '100ms'];
    expect(await udpcat(args)).toMatchObject({ status: 0 });
  });
});

test.concurrent('of several services those that are down are told, and the others are not', async () => {
  await using echo = start(['echo', '127.0.0.1:0']);
  const up = await echo.listening();
  const down = await closedAddress();
  const { stdout, status } = await udpcat(['watch', up, down, '--checks', '3', ...TIMES]);
  expect(status).toBe(4);
  expect(String(stdout)).toMatch(new RegExp(`${down} down`));
  expect(String(stdout)).not.toMatch(new RegExp(`${up} down`));
});
