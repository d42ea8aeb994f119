import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { startUdpServer } from '../../src/net/index.js';
import { passSockets } from '../support/passing.js';
import { testWith } from '../support/peers.js';
import { quote, shell } from '../support/udpcat.js';

/** Runs a module that imports the package by its name, with a socket on 127.0.0.1 as descriptor 3. */
async function runWithSocket(code: string): Promise<string> {
  const command = [process.execPath, '--input-type=module', '--eval', code].map(quote).join(' ');
  await using running = shell(passSockets('udp4', command), { cwd: fileURLToPath(new URL('../..', import.meta.url)) });
  const { stdout, stderr } = await running.outcome;
  expect(stderr).toBe('');
  return stdout.toString();
}

describe('a server on a descriptor', () => {
  testWith('python3', 'must be given the address that the socket is bound to', async () => {
    const code = `
      import { startUdpServer } from 'udpcat';
      await startUdpServer('127.0.0.1:1', { fd: 3 }).catch(({ code, message }) => console.log(code, message));`;
    expect(await runWithSocket(code)).toMatch(
      /^OPEN_FAILED cannot adopt descriptor 3: it is bound to 127\.0\.0\.1:\d+, not to 127\.0\.0\.1:1\n$/,
    );
  });

  testWith('python3', 'receives what waits in the socket, and closes it at the end', async () => {
    const code = `
      import { execFileSync } from 'node:child_process';
      import { fstatSync } from 'node:fs';
      import { startUdpServer } from 'udpcat';
      const script = "console.log(require('node:dgram').createSocket('udp4').bind({ fd: 3 }).address().port); process.exit()";
      const port = execFileSync(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit', 3] }).toString().trim();
      const server = await startUdpServer('127.0.0.1:' + port, { fd: 3 });
      const { data, local } = await server.recvfrom();
      console.log(Buffer.from(data).toString(), local.port === Number(port));
      await server[Symbol.asyncDispose]();
      try { fstatSync(3); } catch ({ code }) { console.log(code); }`;
    expect(await runWithSocket(code)).toBe('waited true\nEBADF\n');
  });

  test('is refused where the descriptor is no socket of UDP', async () => {
    const fd = openSync('/dev/null', 'r');
    try {
      await expect(startUdpServer('127.0.0.1:8000', { fd })).rejects.toMatchObject({
        code: 'OPEN_FAILED',
        message: expect.stringContaining(`cannot adopt descriptor ${fd} as 127.0.0.1:8000`),
      });
    } finally {
      closeSync(fd);
    }
  });

  test.each([0, -1, 1.5, NaN])('is refused on %d', async (fd) => {
    await expect(startUdpServer('127.0.0.1:0', { fd })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('fd'),
    });
  });
});
