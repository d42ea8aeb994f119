import { describe, expect } from '@jest/globals';
import { shellAmongHosts, testInNamespaces } from '../support/namespaces.js';
import { jsonLines } from '../support/service.js';
import { commandLine, quote } from '../support/udpcat.js';

/** A host that responds, from its own address, to datagrams to port 7000 of the broadcast address and of two groups. */
const HOST = `exec ${quote(process.execPath)} -e ${quote(`
  const { createSocket } = require('node:dgram');
  const number = process.argv[1];
  const answer = (socket) => (data, from) => socket.send('host ' + number + ' heard ' + data, from.port, from.address);
  const four = createSocket('udp4');
  const six = createSocket({ type: 'udp6', ipv6Only: true });
  four.on('message', answer(four)).bind(7000, '0.0.0.0', () => {
    four.addMembership('239.1.2.3', '10.9.8.' + number);
    six.on('message', answer(six)).bind(7000, '::', () => {
      six.addMembership('ff02::4242', '::%eth0');
      console.log('ready');
    });
  });
`)} "$1"`;

/** Asks all hosts. Returns the replies with their senders. */
async function ask(address: string, ...args: readonly string[]) {
  const line = commandLine(['send', address, 'who?', '-n', 'all', '-w', '3s', '-o', 'json', ...args]);
  await using running = shellAmongHosts(HOST, line);
  const { status, stdout, stderr } = await running.outcome;
  const lines = jsonLines(stdout);
  const answers = lines
    .filter(({ type }) => type === 'datagram')
    .map(({ from, data }) => `${String(from)} ${String(data)}`)
    .sort();
  return { status, stderr, answers, verdict: lines.find(({ type }) => type === 'verdict') };
}

describe('a request to several hosts collects the reply of each with its address', () => {
  const fromIpv4 = [11, 12, 13].map((number) => `10.9.8.${number}:7000 host ${number} heard who?`);

  testInNamespaces.concurrent('by broadcast', async () => {
    expect(await ask('10.9.8.255:7000', '--broadcast')).toEqual({
      status: 0,
      stderr: '',
      answers: fromIpv4,
      verdict: expect.objectContaining({ verdict: 'ok', replies: 3, address: '10.9.8.255:7000' }),
    });
  });

  testInNamespaces.concurrent('by multicast over IPv4', async () => {
    expect(await ask('239.1.2.3:7000', '--interface', 'lan0')).toMatchObject({ status: 0, answers: fromIpv4 });
  });

  testInNamespaces.concurrent('by multicast over IPv6', async () => {
    expect(await ask('[ff02::4242%lan0]:7000')).toMatchObject({
      status: 0,
      answers: [11, 12, 13].map((number) => `[fe80::${number}%lan0]:7000 host ${number} heard who?`),
    });
  });

  testInNamespaces.concurrent('and finds the right reply among them', async () => {
    expect(await ask('10.9.8.255:7000', '--broadcast', '--expect', 'host 12')).toMatchObject({
      status: 0,
      verdict: { replies: 1 },
    });
  });

  testInNamespaces.concurrent('and is silent without a host', async () => {
    expect(await ask('10.9.8.255:7001', '--broadcast')).toMatchObject({ status: 3, answers: [] });
  });
});
