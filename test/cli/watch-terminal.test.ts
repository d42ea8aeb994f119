import { expect, test } from '@jest/globals';
import { describeWith } from '../support/peers.js';
import { screen } from '../support/screen.js';
import { echoServer } from '../support/sockets.js';
import { terminal } from '../support/udpcat.js';

const FAST = ['--interval', '300ms', '--no-color'];

describeWith('script', 'at a terminal', () => {
  test('one target is checked once a second, line by line, with a summary at the end', async () => {
    await using peer = await echoServer();
    await using running = terminal(['watch', peer.address, '--no-color']);
    await running.until(/ ok [\d.]+ ms\r\n[^]* ok [\d.]+ ms\r\n/);
    running.type('\x03');
    const { stdout, status } = await running.outcome;
    expect(status).toBe(0);
    // A summary that is wider than the terminal goes on in a line of its own.
    expect(screen(String(stdout)).join('\n')).toMatch(
      /: up, \d+ checks, ok 100%,(\nudpcat: {2})? min\/median\/p99\/max [\d./]+ ms\n$/,
    );
  });

  test('several targets are a table, redrawn in place below the lines of changes', async () => {
    const peers = await Promise.all([1, 2, 3, 4].map(() => echoServer()));
    const fifth = await echoServer();
    const addresses = [...peers, fifth].map(({ address }) => address);
    await using running = terminal(['watch', ...addresses, ...FAST], { columns: 100 });
    for (const address of addresses) await running.until(new RegExp(`${address} up after`));
    await fifth[Symbol.asyncDispose]();
    await running.until(new RegExp(`${fifth.address} down after \\w+ up: refused, 3 of 3`));
    await running.until(new RegExp(`${fifth.address}  down \\w+ +last - +median [\\d.]+ ms +loss \\d+% {2}[.-]*R+`));
    await using _again = await echoServer(4, fifth.port);
    await running.until(new RegExp(`${fifth.address} up after \\w+ down: ok, 2 of 2`));
    running.type('\x03');
    const { stdout, status } = await running.outcome;
    expect(status).toBe(0);
    const rows = screen(String(stdout));
    // The table is gone, and neither a line of a change nor one of the summary was written over.
    expect(rows.filter((row) => / {2}(up|down) \w+ +last /.test(row))).toEqual([]);
    expect(rows.filter((row) => / up after | down after /.test(row))).toHaveLength(7);
    expect(rows.filter((row) => /^udpcat: \S+: up, \d+ checks, /.test(row))).toHaveLength(5);
    await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()));
  });

  test('the table has colours', async () => {
    await using one = await echoServer();
    await using two = await echoServer();
    await using running = terminal(['watch', one.address, two.address, '--interval', '300ms', '-o', 'none']);
    // eslint-disable-next-line no-control-regex -- the colour that a terminal shows
    await running.until(/\x1b\[32mup \w+/);
    running.type('\x03');
    await running.outcome;
  });
});
