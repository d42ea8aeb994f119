/** `udpcat relay` between real clients and servers. */
import { execFile } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import type { WayFields } from '../../src/relay/counts.js';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { type RunningHere, start } from '../support/in-process.js';
import { describeWith, PROGRAM_PATH, testWith } from '../support/peers.js';
import { drained, jsonLines } from '../support/service.js';
import { hostAndPort } from '../support/sockets.js';
import type { Outcome } from '../support/udpcat.js';

/** Limits what hangs, in milliseconds. */
const HANG_MS = 60_000;

/** The byte by which a client of iperf3 tells its server that it has sent everything. */
const IPERF_TEST_END = 4;

interface Relaying extends Pick<RunningHere, 'until'> {
  readonly port: number;
  /** Ends the relay like Ctrl-C. Resolves when it has ended. */
  end(): Promise<Outcome>;
}

/** Starts a relay to a service. */
async function relayTo({ address }: Pick<Daemon, 'address'>, ...args: readonly string[]): Promise<Relaying> {
  const relay = start(['relay', '127.0.0.1:0', address, '-o', 'json', ...args]);
  const { port } = hostAndPort(await relay.listening());
  return {
    port,
    until: relay.until,
    end: () => {
      relay.kill('SIGINT');
      return relay.outcome;
    },
  };
}

/** Runs a client to its end. */
async function runClient(program: string, args: readonly string[], stdin = ''): Promise<string> {
  const env = { ...process.env, PATH: PROGRAM_PATH };
  const running = promisify(execFile)(program, args, { env, timeout: HANG_MS, killSignal: 'SIGKILL' });
  running.child.stdin?.end(stdin);
  const { stdout, stderr } = await running;
  return stdout + stderr;
}

/** Makes a key and a certificate for `localhost`. Returns their paths. */
async function makeCertificate(folder: string): Promise<readonly [key: string, cert: string]> {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost'];
  await runClient('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert]);
  return [key, cert];
}

const linesOf = ({ stdout }: Outcome, type: string) => jsonLines(stdout).filter((line) => line.type === type);

function startDnsmasq(): Promise<Daemon> {
  return startDaemon({
    program: 'dnsmasq',
    args: ({ port }) => [
      ...['--keep-in-foreground', '--log-facility=-', '--conf-file=/dev/null', '--pid-file=', '--user=root'],
      ...[`--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces', '--no-resolv', '--no-hosts'],
      '--address=/example.com/192.0.2.10',
    ],
  });
}

const dig = (port: number, ...words: readonly string[]): Promise<string> =>
  runClient('dig', ['@127.0.0.1', '-p', String(port), 'example.com', '+short', ...words]);

testWith(
  'dnsmasq',
  'a resolver asks again for an answer that is lost, and its session ends after the answer',
  async () => {
    await using server = await startDnsmasq();
    const relay = await relayTo(server, '--responses', '1', '--down-blackhole', '..500ms');
    expect(await dig(relay.port, '+retry=20', '+timeout=1')).toContain('192.0.2.10');
    const outcome = await relay.end();
    const ends = linesOf(outcome, 'sessionEnd');
    expect(ends.length).toBeGreaterThan(0);
    expect(ends.every(({ reason }) => reason === 'responses')).toBe(true);
  },
);

testWith('tshark', 'tshark reads the recording of both wires', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-relay-'));
  try {
    await using server = await startDnsmasq();
    const file = join(folder, 'dns.pcap');
    const relay = await relayTo(server, '--record', file);
    await dig(relay.port, '+noedns');
    const [session] = linesOf(await relay.end(), 'session');
    expect(readFileSync(file).length).toBeGreaterThan(100);
    const fields = ['udp.srcport', 'udp.dstport', 'udp.checksum.status'].flatMap((name) => ['-e', name]);
    const read = await runClient('tshark', [
      '-n',
      '-r',
      file,
      '-o',
      'udp.check_checksum:TRUE',
      '-T',
      'fields',
      ...fields,
    ]);
    const port = (address: unknown): string => String(address).split(':').at(-1) ?? '';
    const [client, source] = [port(session?.client), port(session?.source)];
    const rows = [
      [client, relay.port, 1],
      [source, server.port, 1],
      [server.port, source, 1],
      [relay.port, client, 1],
    ];
    expect(read).toContain(rows.map((row) => row.join('\t')).join('\n'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

testWith('turnserver', 'a STUN client behind the relay learns the address of its session', async () => {
  await using server = await startDaemon({
    program: 'turnserver',
    args: ({ port, folder }) => [
      ...['-n', '--no-tls', '--no-dtls', '--no-cli', '--log-file=stdout', '--no-stdout-log', '--stun-only'],
      ...[`--listening-port=${port}`, '--listening-ip=127.0.0.1', '--relay-ip=127.0.0.1'],
      ...[`--pidfile=${join(folder, 'pid')}`, `--userdb=${join(folder, 'db')}`],
    ],
  });
  const relay = await relayTo(server);
  const said = await runClient('turnutils_stunclient', ['-p', String(relay.port), '127.0.0.1']);
  const sources = linesOf(await relay.end(), 'session').map(({ source }) => source as string);
  const [, learned] = /reflexive addr: (\S+)/.exec(said) ?? [];
  expect(sources).toContain(learned);
});

testWith('openssl', 'a DTLS handshake succeeds although the first datagrams of both sides are lost', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-dtls-'));
  try {
    const [key, cert] = await makeCertificate(folder);
    await using server = await startDaemon({
      program: 'openssl',
      args: ({ port }) => [
        's_server',
        '-dtls1_2',
        '-4',
        '-accept',
        `127.0.0.1:${port}`,
        '-key',
        key,
        '-cert',
        cert,
        '-quiet',
      ],
    });
    const relay = await relayTo(server, '--lose', '1');
    const args = ['s_client', '-dtls1_2', '-connect', `127.0.0.1:${relay.port}`, '-brief'];
    expect(await runClient('openssl', args, 'Q\n')).toContain('CONNECTION ESTABLISHED');
    const [summary] = linesOf(await relay.end(), 'summary');
    expect(summary).toMatchObject({ up: { lost: { lose: 1 } }, down: { lost: { lose: 1 } } });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const tftp = process.getuid?.() === 0 ? testWith : (_: string, name: string) => testWith('a root account', name, () => undefined); // prettier-ignore
tftp('in.tftpd', 'a file comes by TFTP, whose server answers from other ports', async () => {
  const text = 'x'.repeat(5000);
  await using server = await startDaemon({
    program: 'in.tftpd',
    files: () => ({ long: text }),
    args: ({ port, folder }) => ['--foreground', '--secure', `--address=127.0.0.1:${port}`, folder],
  });
  const relay = await relayTo(server, '--any-port');
  expect(await runClient('curl', ['-s', `tftp://127.0.0.1:${relay.port}/long`])).toBe(text);
  await relay.end();
});

testWith('chronyd', 'chrony measures a server behind the relay, although each datagram comes twice', async () => {
  await using server = await startDaemon({
    program: 'chronyd',
    files: ({ port, folder }) => ({
      'chrony.conf': [
        ...[`port ${port}`, 'bindaddress 127.0.0.1', 'allow', 'cmdport 0', 'bindcmdaddress /', 'user root'],
        ...[`pidfile ${folder}/pid`, 'local stratum 10', ''],
      ].join('\n'),
    }),
    args: ({ folder }) => ['-d', '-x', '-U', '-f', `${folder}/chrony.conf`],
  });
  const relay = await relayTo(server, '--duplicate', '100%');
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-chrony-'));
  try {
    const source = `server 127.0.0.1 port ${relay.port} iburst maxsamples 1`;
    const settings = [source, 'cmdport 0', 'bindcmdaddress /', 'user root', `pidfile ${folder}/pid`];
    // -Q measures and does not set the clock.
    expect(await runClient('chronyd', ['-Q', '-U', '-t', '60', ...settings])).toContain('System clock wrong by');
  } finally {
    rmSync(folder, { recursive: true });
  }
  // The client ends after the first response. The second one may still be on its way.
  await relay.until(/("side":"server".*\n[^]*){2}/);
  const [summary] = linesOf(await relay.end(), 'summary');
  expect(summary).toMatchObject({ up: { received: 1, duplicates: 1, sent: 2 }, down: { received: 2, duplicates: 2 } });
});

testWith('iperf3', 'iperf3 counts the datagrams that the relay loses', async () => {
  await using server = await startDaemon({
    program: 'iperf3',
    protocol: 'tcp',
    args: ({ port }) => ['--server', '--bind', '127.0.0.1', '--port', String(port)],
  });
  // The first datagram opens the test and carries no data. iperf3 would wait for its answer for ever.
  const relay = await relayTo(server, '--up-lose', '11..15');
  // iperf3 tells its server by TCP what to measure, on the same port.
  const control = createServer((client) => {
    const target = connect(server.port, '127.0.0.1');
    target.pipe(client);
    client.on('error', () => target.destroy());
    target.on('error', () => client.destroy());
    // The server does not read the datagrams that still wait for it when it hears of the end.
    const held = new Transform({
      transform(chunk: Buffer, _, done) {
        void (async () => {
          if (chunk.length === 1 && chunk[0] === IPERF_TEST_END) {
            await drained(`127.0.0.1:${relay.port}`);
            await setImmediate();
            await drained(server.address);
          }
          done(null, chunk);
        })();
      },
    });
    client.pipe(held).pipe(target);
  });
  control.listen(relay.port, '127.0.0.1');
  await once(control, 'listening');
  const load = ['--udp', '--bitrate', '4M', '--length', '500', '--blockcount', '100'];
  const said = await runClient('iperf3', ['--client', '127.0.0.1', '--port', String(relay.port), '--json', ...load]);
  control.close();
  const { end } = JSON.parse(said) as { end: { sum: { lost_packets: number; packets: number } } };
  const [summary] = linesOf(await relay.end(), 'summary');
  expect(summary).toMatchObject({ up: { lost: { lose: 5 }, notSent: 0 } });
  expect(end.sum).toMatchObject({ lost_packets: 5 });
});

testWith('openvpn', 'OpenVPN opens a tunnel although the first datagrams of both sides are lost', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-openvpn-'));
  try {
    const [key, cert] = await makeCertificate(folder);
    const { fingerprint256 } = new X509Certificate(readFileSync(cert));
    // Both sides have the same certificate. Without a device, OpenVPN needs no privileges.
    const own = ['--dev', 'null', '--key', key, '--cert', cert, '--peer-fingerprint', fingerprint256];
    await using server = await startDaemon({
      program: 'openvpn',
      args: ({ port }) => [...own, '--local', '127.0.0.1', '--lport', String(port), '--tls-server', '--dh', 'none'],
    });
    const relay = await relayTo(server, '--lose', '1');
    await using client = await startDaemon({
      program: 'openvpn',
      args: ({ port }) => [
        ...own,
        ...['--tls-client', '--ping', '1', '--local', '127.0.0.1', '--lport', String(port)],
        ...['--remote', '127.0.0.1', String(relay.port)],
      ],
    });
    while (!client.output().includes('Initialization Sequence Completed')) await delay(20);
    const outcome = await relay.end();
    expect(linesOf(outcome, 'session')).toMatchObject([{ client: client.address }]);
    expect(linesOf(outcome, 'summary')).toMatchObject([{ up: { lost: { lose: 1 } }, down: { lost: { lose: 1 } } }]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

describeWith('gtlsserver', 'QUIC of ngtcp2', () => {
  test.each([
    ['with 5 % loss both ways', ['--loss', '5%', '--seed', '7']],
    ['over a path that carries 1300 bytes', ['--max-size', '1300']],
    ['while its port changes, as behind a NAT that forgot it', ['--rebind', '50ms', '--down-delay', '5ms']],
  ])('a file comes %s', async (_, faults) => {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-quic-'));
    try {
      const [key, cert] = await makeCertificate(folder);
      mkdirSync(join(folder, 'root'));
      mkdirSync(join(folder, 'downloads'));
      const content = randomBytes(300_000);
      writeFileSync(join(folder, 'root/file'), content);
      await using server = await startDaemon({
        program: 'gtlsserver',
        args: ({ port }) => ['-q', '-d', join(folder, 'root'), '127.0.0.1', String(port), key, cert],
      });
      const relay = await relayTo(server, ...faults);
      const options = ['-q', '--exit-on-all-streams-close', '--download', join(folder, 'downloads')];
      await runClient('gtlsclient', [...options, '127.0.0.1', String(relay.port), 'https://localhost/file']);
      expect(readFileSync(join(folder, 'downloads/file')).equals(content)).toBe(true);
      const outcome = await relay.end();
      const [summary] = linesOf(outcome, 'summary') as { up: WayFields; down: WayFields }[];
      for (const { received, duplicates, sent, lost, notSent } of [summary!.up, summary!.down]) {
        const allLost = Object.values(lost).reduce((sum, count) => sum + count, 0);
        expect(received + duplicates).toBe(sent + allLost + notSent);
      }
      if (faults.includes('--loss')) expect(summary!.down.lost.loss).toBeGreaterThan(0);
      if (faults.includes('--rebind')) expect(linesOf(outcome, 'rebind').length).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
