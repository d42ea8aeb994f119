/** A single executable, in which `process.execPath` is udpcat and not Node. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { HANG_MS } from './support/limits.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'udpcat-executable-'));
const executable = join(folder, 'udpcat');
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const npx = spawnSync('npx', ['--yes', 'postject@1.0.0-alpha.6', '--help'], { cwd: folder, timeout: HANG_MS });
const resolves = spawnSync('getent', ['hosts', hostname()]).status === 0;
const name = 'an executable looks names up under --deadline';
const why = npx.status !== 0 ? 'npx cannot fetch postject' : `${hostname()} has no address`;
const possible = npx.status === 0 && resolves;

(possible ? test : test.skip)(possible ? name : `${name} (skipped: ${why})`, async () => {
  execFileSync(process.execPath, [join(root, 'scripts/executable.mjs'), executable], {
    stdio: 'pipe',
    timeout: HANG_MS,
  });
  const socket = createSocket('udp6').bind(0, '::');
  await once(socket, 'listening');
  try {
    const send = (host: string) =>
      spawnSync(
        executable,
        ['send', `${host}:${socket.address().port}`, 'x', '--deadline', '60s', '--wait', '0', '-v'],
        {
          encoding: 'utf8',
          timeout: HANG_MS,
        },
      );
    const found = send(hostname());
    expect({ status: found.status, stderr: found.stderr }).toEqual({
      status: 0,
      stderr: expect.stringContaining(`${hostname()} is `),
    });
    expect(send('no-such-name.invalid')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('cannot resolve no-such-name.invalid'),
    });
  } finally {
    socket.close();
  }
});
