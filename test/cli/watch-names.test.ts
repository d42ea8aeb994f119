import { describe, expect, test } from '@jest/globals';
import { shellWithSilentResolver, testInNamespaces } from '../support/namespaces.js';
import { echoServer, freeAddress } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { commandLine, quote, shell } from '../support/udpcat.js';

describe('a name', () => {
  testInNamespaces(
    'whose addresses change is checked at the new one, without an end between',
    async () => {
      const watch = [
        ...['watch', 'svc.example:7000', '--interval', '100ms', '--resolve', '100ms', '--rise', '1', '-o', 'json'],
      ];
      const script = `set -e
        mount -t tmpfs none /mnt
        ip link set lo up
        echo 'nameserver 127.0.0.1' >/mnt/resolv.conf
        echo 'hosts: dns' >/mnt/nsswitch.conf
        mount --bind /mnt/resolv.conf "$(realpath /etc/resolv.conf)"
        mount --bind /mnt/nsswitch.conf "$(realpath /etc/nsswitch.conf)"
        echo '127.0.0.2 svc.example' >/mnt/names
        dnsmasq --keep-in-foreground --listen-address=127.0.0.1 --bind-interfaces --user=root --no-resolv --no-hosts \
          --conf-file=/dev/null --pid-file=/mnt/pid --addn-hosts=/mnt/names >/dev/null 2>&1 &
        resolver=$!
        ${commandLine(['echo', '127.0.0.2:7000'])} &
        ${commandLine(['echo', '127.0.0.3:7000'])} &
        ${commandLine(watch)} </dev/null &
        watch=$!
        read -r _
        echo '127.0.0.3 svc.example' >/mnt/names
        kill -HUP $resolver
        read -r _
        kill $(jobs -p)
        wait $watch`;
      await using running = shell(`exec unshare --net --mount bash -c ${quote(script)}`);
      await running.until(/"address":"127\.0\.0\.2:7000","verdict":"ok"/);
      running.stdin.write('\n');
      await running.until(/"address":"127\.0\.0\.3:7000","verdict":"ok"/);
      running.stdin.end('\n');
      const { stdout, status } = await running.outcome;
      expect(status).toBe(0);
      const lines = String(stdout).trimEnd().split('\n');
      const summary = JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>;
      expect(summary).toMatchObject({ type: 'summary', targets: [{ target: 'svc.example:7000' }] });
      const addresses = lines.flatMap((line) => /"type":"check".*"address":"([\d.]+)/.exec(line)?.[1] ?? []);
      // Once the new address was asked, the old one is asked no more.
      expect(addresses.slice(addresses.indexOf('127.0.0.3'))).not.toContain('127.0.0.2');
    },
    ['dnsmasq'],
  );

  testInNamespaces('whose resolver never responds holds up neither the checks of others nor the end', async () => {
    const args = ['watch', 'far.example:9', '127.0.0.1:9', '--interval', '2s', '--checks', '2', '--deadline', '500ms'];
    // The resolver gives up after two minutes and a half. The run would be killed before.
    await using running = shellWithSilentResolver(commandLine([...args, '--wait', '400ms', '-o', 'json']), {
      timeoutMs: 100_000,
    });
    const { stdout, status } = await running.outcome;
    expect(status).toBe(4);
    expect(String(stdout)).toMatch(
      /"target":"far\.example:9","address":"far\.example:9","verdict":"error","says":"the deadline of 500ms came before far\.example was resolved"/,
    );
    expect(String(stdout)).toMatch(/"target":"127\.0\.0\.1:9".*"verdict":"refused"/);
  });

  test('that does not exist is an error at each check, and no end', async () => {
    const { stdout, status } = await udpcat([
      ...['watch', 'no-such-name.invalid:9', '--interval', '10s', '--retry-interval', '100ms', '--checks', '3'],
    ]);
    expect(status).toBe(1);
    expect(String(stdout).match(/ error: cannot resolve no-such-name\.invalid: /g)).toHaveLength(3);
    expect(String(stdout)).toMatch(/ down after \w+ unknown: error, 3 of 3\n$/);
  });

  test('is called as it is written, and its address stands beside it', async () => {
    await using peer = await echoServer();
    const args = ['watch', `LOCALHOST:${peer.port}`, '--until', 'up', '--interval', '10s', '-4', '-o', 'states'];
    const { stdout } = await udpcat(args);
    expect(String(stdout)).toMatch(new RegExp(` LOCALHOST:${peer.port} ${peer.address} up after`));
  });

  test('with several addresses is asked at the next where one refuses', async () => {
    const closed = await freeAddress(6);
    const port = Number(closed.split(':').at(-1));
    await using _peer = await echoServer(4, port);
    const { status } = await udpcat([
      'watch',
      `localhost:${port}`,
      '--until',
      'up',
      '--interval',
      '10s',
      '--duration',
      '60s',
    ]);
    expect(status).toBe(0);
  });
});
