import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { testInNamespaces } from '../support/namespaces.js';
import { ended, expectShown, openPlace, stepsOf } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';
import { testWith } from '../support/peers.js';
import { commandLine, start } from '../support/udpcat.js';

const page = openPage('docs/systemd.md');

const [manager, client] = page.blocks('console', 'Try it without a unit');
testInNamespaces(
  'a datagram starts the server as the page shows',
  async () => {
    await using place = await openPlace();
    const [{ command, shown }] = stepsOf(manager.code);
    const running = place.start(command);
    await running.until('Listening on');
    await place.replay(client!);
    running.type('\x03');
    const { lines } = await ended(running);
    expectShown(command, lines.slice(0, shown.length), shown);
  },
  ['systemd-socket-activate'],
);

const [socket, service] = page.blocks('ini', 'Units');
testWith('systemd-analyze', 'systemd finds no fault with the units, and the service starts as they say', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-units-'));
  try {
    const [, options = ''] = /^ExecStart=\/usr\/local\/bin\/udpcat (.*)$/m.exec(service!.code) ?? [];
    writeFileSync(join(folder, 'udpcat.socket'), socket.code);
    // The path of the program on this machine.
    writeFileSync(join(folder, 'udpcat.service'), service!.code.replace('/usr/local/bin/udpcat', commandLine([])));
    const args = ['verify', '--man=no', join(folder, 'udpcat.socket'), join(folder, 'udpcat.service')];
    const { stdout, stderr, status } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect({ stdout, stderr: stderr.split('\n').filter((line) => line.includes('udpcat')), status }).toEqual({
      stdout: '',
      stderr: [],
      status: 0,
    });
    await using server = start(options.split(' '));
    await server.listening();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

testAllTaken(page);
