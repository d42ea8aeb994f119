import { describe, expect, test } from '@jest/globals';
import { closedAddress, echoServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';

describe('--max-loss', () => {
  test('of a run without a loss is status 0, and JSON and the plugin line tell the loss', async () => {
    await using server = await echoServer();
    const args = ['send', server.address, '--size', '32', '-c', '5', '--interval', '1ms', '-w', '1h', '--max-loss'];
    const json = await udpcat([...args, '5%', '-o', 'json']);
    const lines = json.stdout.toString().trim().split('\n').slice(-2);
    expect(json).toMatchObject({ status: 0, stderr: '' });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { type: 'verdict', verdict: 'ok', replies: 5, lost: 0, lossPercent: 0 },
      { type: 'summary', received: 5, lost: 0, lossPercent: 0 },
    ]);
    const nagios = await udpcat([...args, '0.5%', '--exit-code', 'nagios']);
    expect(nagios).toMatchObject({ status: 0, stderr: '' });
    expect(nagios.stdout.toString()).toMatch(
      /^UDPCAT OK - \S+ answered 5 of 5 requests, the first in [\d.]+ ms; 0% lost \| rtt=[\d.]+ms;;;0 loss=0%;;0\.5;0;100\n$/,
    );
  });

  test('that is exceeded has the status of the reason, and tells both percentages', async () => {
    const address = await closedAddress();
    expect(await udpcat(['send', address, 'a', 'b', '--max-loss', '50%'])).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/refused.*; 100% lost, more than 50%\n$/) as unknown,
    });
    expect(await udpcat(['send', address, 'a', 'b', '--max-loss', '100%'])).toMatchObject({ status: 0, stderr: '' });
  });

  test('is judged for the lines of stdin as well', async () => {
    await using server = await echoServer();
    const outcome = await udpcat(['send', server.address, '--max-loss', '10%', '-w', '1h'], { stdin: 'a\nb\n' });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(outcome.stdout.toString()).toBe('a\nb\n');
  });

  test.each([
    [['a', '--max-loss', '5'], "option '--max-loss <p>' argument '5' is invalid. A percentage is 0% to 100%"],
    [['a', '--max-loss', '101%'], 'A percentage is 0% to 100%, for example 5% or 0.1%.'],
    [['a', '--max-loss', '5%'], 'is a share of several requests, and this is one message: add --count'],
    [['--size', '9', '--max-loss', '5%'], 'this is one message: add --count'],
    [['--file', 'a', '--max-loss', '5%'], 'this is one message: add --count'],
    [['--probe', 'ntp', '--max-loss', '5%'], 'and a probe sends one: leave it out'],
    [['a', 'b', '-n', '1', '--max-loss', '5%'], "options '--max-loss' and '-n, --replies' both say how many"],
    [['a', 'b', '-n', 'all', '--max-loss', '5%'], "options '--max-loss' and '-n, --replies' both say how many"],
    [['--replay', 'a.pcap', '--expect-replay', '--max-loss', '5%'], "'--max-loss' and '--expect-replay' both say"],
    [['--retry', '2', '--max-loss', '5%'], "and '--retry' for one message: leave one out"],
    [['a', 'b', '-w', '0', '--max-loss', '5%'], "option '-w, --wait' 0 waits for no reply"],
  ])('in %j is a usage error', async (args, says) => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', ...args]);
    expect({ status, lines: stderr.split('\n').length }).toEqual({ status: 2, lines: 2 });
    expect(stderr).toContain(says);
  });
});
