/** The system refuses socket options: the linux engine does without them, or the node engine takes over. */
import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { type RefusableOption, refusing, testWithRefusedOptions } from '../support/failing-options.js';
import { jsonLines } from '../support/service.js';
import { closedAddress, echoServer, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/udpcat.js';

const LINUX_IS_USED = 'udpcat: the linux engine is used\n';
const FELL_BACK = 'udpcat: the node engine is used: the linux engine failed: ';

/** An option that only one feature needs, addresses whose sockets set it, and what -v says. */
const PREFERRED: readonly {
  readonly option: RefusableOption;
  readonly addresses: readonly string[];
  readonly says: string;
}[] = [
  { option: 'SO_TIMESTAMPNS', addresses: ['127.0.0.1:0', '[::1]:0', '*:0'], says: 'the time of a datagram is' },
  { option: 'SO_RCVBUF', addresses: ['127.0.0.1:0'], says: 'the receive buffer has the default size of the system' },
  { option: 'UDP_GRO', addresses: ['127.0.0.1:0'], says: 'the kernel does not coalesce datagrams' },
  { option: 'IP_RECVERR', addresses: ['127.0.0.1:0', '*:0'], says: 'ICMP errors are not heard' },
  { option: 'IPV6_RECVERR', addresses: ['[::1]:0', '*:0'], says: 'ICMP errors of IPv6 are not heard' },
  { option: 'IP_PKTINFO', addresses: ['0.0.0.0:0'], says: 'the address that a datagram was sent to' },
  { option: 'IPV6_RECVPKTINFO', addresses: ['[::]:0', '*:0'], says: 'the address that a datagram was sent to' },
];

const reachable = (address: string): string => address.replace('0.0.0.0', '127.0.0.1').replace('[::]', '[::1]');

async function expectEcho(
  options: readonly RefusableOption[],
  address: string,
  says: readonly string[],
): Promise<void> {
  await using server = start(['echo', address, '--engine', 'auto', '-v'], { env: refusing(options) });
  const to = reachable(await server.listening());
  await using peer = await silentServer(to.startsWith('[') ? 6 : 4);
  await peer.send('hello', to);
  expect(await peer.collect(1)).toMatchObject([{ data: Buffer.from('hello'), from: to }]);
  server.kill('SIGTERM');
  const { status, stderr } = await server.outcome;
  for (const words of says) expect(stderr).toContain(words);
  expect(status).toBe(0);
}

describe.each(PREFERRED)('without $option', ({ option, addresses, says }) => {
  for (const address of addresses) {
    testWithRefusedOptions(`echo at ${address} uses the linux engine, and -v says what is missing`, async () => {
      const sentence = `udpcat: the system refuses the socket option ${option} (ENOPROTOOPT): ${says}`;
      const usesLinux = ENGINE_NAMES.includes('linux');
      await expectEcho([option], address, usesLinux ? [LINUX_IS_USED, sentence] : []);
    });
  }
});

testWithRefusedOptions('echo without any of these options answers all the same', async () => {
  const all = PREFERRED.map(({ option }) => option);
  await expectEcho(all, '*:0', []);
  await expectEcho(all, '127.0.0.1:0', []);
});

testWithRefusedOptions('a responding service of every interface warns where it cannot choose the source', async () => {
  await using server = start(['echo', '0.0.0.0:0', '--engine', 'auto'], { env: refusing(['IP_PKTINFO']) });
  await server.until('an answer may leave from another address than the request went to', 'stderr');
});

testWithRefusedOptions('the node engine takes over, once, where a client would not hear refusals', async () => {
  const env = refusing(['IP_RECVERR']);
  const args = ['send', '--engine', 'auto', '-v', '-o', 'json', '-c', '3', '--rate', '1000'];
  const refused = await udpcat([...args, '-w', '60s', await closedAddress(4), 'hello'], { env });
  expect(jsonLines(refused.stdout).at(-2)).toMatchObject({ type: 'verdict', verdict: 'refused' });
  expect(refused.status).toBe(4);
  await using server = await echoServer(4);
  const answered = await udpcat([...args, '-w', '60s', server.address, 'hello'], { env });
  expect(jsonLines(answered.stdout).at(-2)).toMatchObject({ verdict: 'ok', replies: 3 });
  expect(answered.status).toBe(0);
  for (const { stderr } of [refused, answered]) expect(stderr.split(FELL_BACK)).toHaveLength(2);
});

testWithRefusedOptions('the node engine is used where the linux engine does not pass its check', async () => {
  await expectEcho(['SO_PASSCRED'], '127.0.0.1:0', ['udpcat: the node engine is used: ']);
});

testWithRefusedOptions('an option of the linux engine that the system refuses is an error', async () => {
  for (const engine of ['auto', 'linux']) {
    const args = ['serve', '127.0.0.1:0', '--dscp', '46', '--engine', engine];
    const { status, stderr } = await udpcat(args, { env: refusing(['IP_TOS']) });
    expect(stderr).toContain('cannot set the options of a socket on 127.0.0.1:0: the system lacks one (ENOPROTOOPT)');
    expect(status).toBe(1);
  }
});

test('an address in use is the error of both engines', async () => {
  await using peer = await silentServer(4);
  const [auto, node] = await Promise.all(
    ['auto', 'node'].map((engine) => udpcat(['serve', peer.address, '--engine', engine])),
  );
  expect(auto).toEqual(node);
  expect(node?.status).toBe(1);
  expect(node?.stderr).toContain('EADDRINUSE');
});
