import { expect, test } from '@jest/globals';
import { answeringServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex } from './fixtures/fixture.js';
import { CHALLENGE, INFO } from './fixtures/source.js';
import { startProbe } from './session.js';

const REQUEST = hex('ffffffff 54 536f7572636520456e67696e6520517565727900');

async function probe(address: string, wait: string) {
  const { status, stderr } = await udpcat(['send', address, '--probe', 'source', '-o', 'none', '-w', wait]);
  return { status, stderr: untimed(stderr) };
}

test('a game server that wants no challenge is asked once', async () => {
  await using server = await answeringServer([INFO]);
  expect(await probe(server.address, '1m')).toEqual({
    status: 0,
    stderr: 'udpcat: source: Example, map de_dust, 3/16 players\n',
  });
  expect(server.received.map(({ data }) => data)).toEqual([REQUEST]);
});

test('a game server that wants its challenge repeated gets it', async () => {
  await using server = await answeringServer((_request, nth) => [nth === 0 ? CHALLENGE : INFO]);
  expect(await probe(server.address, '1m')).toMatchObject({ status: 0 });
  expect(server.received.map(({ data }) => data)).toEqual([REQUEST, Buffer.concat([REQUEST, hex('0badcafe')])]);
});

test('a game server that sends challenges without end gets three datagrams, and is silent', async () => {
  await using server = await answeringServer([CHALLENGE, CHALLENGE, CHALLENGE]);
  expect(await probe(server.address, '3s')).toEqual({
    status: 3,
    stderr: `udpcat: ${server.address} did not finish its answer within 3s: source: the server wants its challenge repeated\n`,
  });
  expect(server.received).toHaveLength(3);
});

/** Makes an information reply for a game. @param rest the bytes behind the version */
function info(id: string, ...rest: readonly (string | Buffer)[]): Buffer {
  const texts = Buffer.from('Ship\0batavier\0ship\0The Ship\0');
  const parts = rest.map((part) => (typeof part === 'string' ? hex(part) : part));
  return Buffer.concat([hex('ffffffff 49 07'), texts, hex(id), hex('02 08 00 64 77 00 00'), ...parts]);
}

const VERSION = Buffer.from('1.0\0');
const TEXT = Buffer.from('text\0');
/** The obsolete reply, up to the flag of a modified game. */
const OBSOLETE = Buffer.concat([
  hex('ffffffff 6d'),
  Buffer.from('192.0.2.1:27015\0Ship\0batavier\0cstrike\0Counter-Strike\0'),
  hex('02 08 2f 64 6c 00'),
]);

test.each([
  ['without anything behind its version', info('f000', VERSION)],
  ['of The Ship, which says more', info('6009', '01 02 03', VERSION, '00')],
  ['with all that may follow', info('f000', VERSION, 'f1 8769 0100000000004001 8869', TEXT, TEXT, 'f000000000000000')],
  ['of an older GoldSource server', Buffer.concat([OBSOLETE, hex('00 01 00')])],
  [
    'of an older GoldSource server with a modification',
    Buffer.concat([OBSOLETE, hex('01'), TEXT, TEXT, hex('00 01000000 00100000 00 01'), hex('01 00')]),
  ],
])('an information reply %s is understood', async (_which, reply) => {
  const { judge } = await startProbe('source');
  expect(judge(reply)).toEqual({ outcome: 'match', says: 'source: Ship, map batavier, 2/8 players' });
});

test.each([
  [
    'that is split',
    hex('fffffffe 01000000 02 00'),
    'the reply is no message of the protocol: it does not begin with ff ff ff ff',
  ],
  ['about players', hex('ffffffff 44 00'), 'the reply is no information about the server: its type is 68'],
  [
    'that is cut',
    INFO.subarray(0, -1),
    `the reply is no message of the protocol: it ends after ${INFO.length - 1} bytes`,
  ],
  [
    'with more behind its end',
    Buffer.concat([INFO, hex('00')]),
    'the reply is no message of the protocol: something follows its end',
  ],
  [
    'with half a challenge',
    CHALLENGE.subarray(0, -2),
    'the reply is no message of the protocol: it ends after 7 bytes',
  ],
])('a reply %s is none', async (_which, reply, reason) => {
  const { judge } = await startProbe('source');
  expect(judge(reply)).toEqual({ outcome: 'mismatch', says: `source: ${reason}` });
});
