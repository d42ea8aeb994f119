/** Named pipes in place of files: nobody may ever write to them, and times and signals end a run all the same. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/udpcat.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-pipes-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

let pipes = 0;
function makePipe(): string {
  const path = join(folder, `pipe-${(pipes += 1)}`);
  execFileSync('mkfifo', [path]);
  return path;
}

describe('a pipe that nobody writes to', () => {
  test.concurrent.each([
    [['serve', '--rules'], '--duration', '', 'nothing was bound'],
    [['serve', '--rules'], '--idle', '', 'nothing was bound'],
    [['serve', '--reply-file'], '--duration', '', 'nothing was bound'],
    [['send', '127.0.0.1:9', '--file'], '--duration', '', 'nothing was sent'],
    [['send', '127.0.0.1:9', '-n', '1', '--file'], '--idle', '', 'nothing was sent'],
    [['watch', '--config'], '--duration', "option '--config': ", 'nothing was checked'],
  ])('is told after the time: %j %s', async (args, limit, prefix, consequence) => {
    const pipe = makePipe();
    expect(await udpcat([...args, pipe, limit, '200ms'])).toMatchObject({
      status: 1,
      stderr: `udpcat: ${prefix}cannot read ${pipe}: nobody ended the pipe within the 200ms of ${limit}; ${consequence}\n`,
    });
  });

  test.concurrent('in a file of rules is told as well', async () => {
    const pipe = makePipe();
    const rules = join(folder, 'rules.yaml');
    writeFileSync(rules, `rules: []\ndefault: { answer: { file: ${pipe} } }\n`);
    expect(await udpcat(['serve', '--rules', rules, '--duration', '200ms'])).toMatchObject({
      status: 1,
      stderr: `udpcat: cannot read ${pipe}: nobody ended the pipe within the 200ms of --duration; nothing was bound\n`,
    });
  });

  test.concurrent.each([
    [['watch', '--config'], { status: 0, signal: null }],
    [['watch', '--checks', '1', '--config'], { status: null, signal: 'SIGTERM' }],
    [['send', '127.0.0.1:9', '--file'], { status: null, signal: 'SIGTERM' }],
    [['serve', '--rules'], { status: 0, signal: null }],
  ] as const)('does not delay a signal: %j', async (args, ending) => {
    const pipe = makePipe();
    await using running = start([...args, pipe]);
    // This opens as soon as there is a reader.
    await using _writer = await open(pipe, 'w');
    running.kill('SIGTERM');
    expect(await running.outcome).toMatchObject(ending);
  });

  test.concurrent('at a reload does not delay the end', async () => {
    const pipe = makePipe();
    await using running = start(['serve', '--rules', pipe, '-c', '1']);
    const first = await open(pipe, 'w');
    await first.write('rules: []\ndefault: { answer: pong }\n');
    await first.close();
    const address = await running.listening();
    running.kill('SIGHUP');
    await using _writer = await open(pipe, 'w');
    await using peer = await silentServer();
    await peer.send('ping', address);
    expect(await running.outcome).toMatchObject({ status: 0 });
  });
});
