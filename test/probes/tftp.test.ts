import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex } from './fixtures/fixture.js';
import { startProbe } from './session.js';

const DATA_ONLY = ['-e', 'hex', '--expect', '00030001'];

async function probe(address: string, file: string, ...options: readonly string[]) {
  const args = ['send', address, '--probe', `tftp:${file}`, '-o', 'none', ...options];
  const { status, stderr } = await udpcat(args);
  return { status, stderr: untimed(stderr) };
}

/** The server changes to another user for each transfer. That needs root. */
const isRoot = process.getuid?.() === 0;
const testAsRoot: typeof test.skip = isRoot ? test : test.skip;

describeWith('in.tftpd', `tftpd-hpa${isRoot ? '' : ' (skipped: it needs root)'}`, () => {
  let server: Daemon;

  beforeAll(async () => {
    server = await startDaemon({
      program: 'in.tftpd',
      files: () => ({ long: 'x'.repeat(1000), short: 'hello', one: '1' }),
      args: ({ port, folder }) => [
        // The server repeats a block after a short time, and ends when the port is closed. So it does not outlive the
        // test.
        ...['--foreground', '--secure', `--address=127.0.0.1:${port}`, '--retransmit=100000', folder],
      ],
    });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  testAsRoot.each([
    ['long', 'data, 512 bytes'],
    ['short', 'data, 5 bytes'],
    ['one', 'data, 1 byte'],
    ['missing', 'error 1 File not found'],
    ['', 'error 1 File not found'],
  ])('asked for "%s", answers from another port, and the probe says what', async (file, says) => {
    expect(await probe(server.address, file, '-w', '1m')).toEqual({ status: 0, stderr: `udpcat: tftp: ${says}\n` });
  });

  testAsRoot('must have the file where only data is expected', async () => {
    expect(await probe(server.address, 'short', ...DATA_ONLY, '-w', '1m')).toMatchObject({ status: 0 });
    expect(await probe(server.address, 'missing', ...DATA_ONLY, '-w', '3s')).toMatchObject({ status: 5 });
  });
});

describe('a reply to a tftp probe', () => {
  test.each([
    ['0003 0001', 'data, 0 bytes'],
    ['0005 0002 6e6f00', 'error 2 no'],
    ['0005 0004 6e6f00', 'error 4 no'],
    ['0005 0000 00', 'error 0'],
  ])('of %s is a success', async (reply, says) => {
    const { judge } = await startProbe('tftp');
    expect(judge(hex(reply))).toEqual({ outcome: 'match', says: `tftp: ${says}` });
  });

  test.each([
    ['0003 0002 6e6f', 'the data is of block 2, not the first'],
    ['0006 626c6b73697a6500 3130323400', 'the reply acknowledges options, and none were sent'],
    [`0003 0001 ${'00'.repeat(513)}`, 'the reply is no message of the protocol: its block is 513 bytes long'],
    ['0005 0009 6e6f00', 'the reply is no message of the protocol: its error code is 9'],
    ['0005 0001 6e6f', 'the reply is no message of the protocol: a text in it has no end'],
    ['0005 0001 6e6f00 00', 'the reply is no message of the protocol: something follows its end'],
    ['0004 0001', 'the reply is no message of the protocol: its operation is 4'],
  ])('of %s is none', async (reply, reason) => {
    const { judge } = await startProbe('tftp');
    expect(judge(hex(reply))).toEqual({ outcome: 'mismatch', says: `tftp: ${reason}` });
  });
});

test('a tftp probe asks for the file as it is, with spaces too', async () => {
  const { request } = await startProbe('tftp:boot images/a\\,b');
  expect(request.toString('latin1')).toBe('\0\x01boot images/a,b\0octet\0');
});

test('a file name of more than one line is a usage error', async () => {
  expect(await probe('127.0.0.1:9', 'a\nb')).toEqual({
    status: 2,
    stderr: expect.stringContaining('it must be 1 to 503 bytes, without control characters'),
  });
});
