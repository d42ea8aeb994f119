import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { TargetPlan } from '../../src/watch/plan.js';
import { answeringServer, echoServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { watchPlan } from '../support/watching.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-watch-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function targetsOf(text: string, args: readonly string[] = []): Promise<readonly TargetPlan[]> {
  return (await watchPlan(['--config', write('targets.yaml', text), ...args])).targets;
}

/** What is wrong with a file, without its folder. */
async function errorOf(text: string, args: readonly string[] = []): Promise<string> {
  const error = await targetsOf(text, args).then(
    () => new Error('none'),
    (reason: unknown) => reason as Error,
  );
  return error.message.replaceAll(`${folder}/`, '');
}

describe('a file of targets', () => {
  test('has options for all, for a module and for a target, of which the nearest holds', async () => {
    const text = `
interval: 20s
fall: 4
modules:
  dns: { probe: 'dns:example.com', wait: 1s, retry: 2, fall: 5 }
  game: { message: 'ping', expect-size: '4..' }
targets:
  - { address: '192.0.2.1', module: dns, name: dns-1, labels: { site: ams } }
  - { address: '192.0.2.9:27015', module: game, fall: 6, health: no, interval: 30s }
  - { address: '192.0.2.10:9' }
`;
    const targets = await targetsOf(text, ['--interval', '5s', '--rise', '7']);
    const common = { rise: 7, health: true, labels: {} };
    expect(targets).toMatchObject([
      {
        ...common,
        name: 'dns-1',
        address: '192.0.2.1:53',
        labels: { site: 'ams' },
        intervalMs: 20_000,
        fall: 5,
        exchange: { waitMs: 1000, retry: 2, messages: { kind: 'probe' } },
      },
      {
        ...common,
        name: '192.0.2.9:27015',
        address: '192.0.2.9:27015',
        health: false,
        intervalMs: 30_000,
        fall: 6,
        exchange: { waitMs: 2000, messages: { kind: 'payloads', payloads: [Buffer.from('ping')] } },
      },
      { ...common, name: '192.0.2.10:9', intervalMs: 20_000, fall: 4, exchange: { messages: { kind: 'generated' } } },
    ]);
  });

  test('may be JSON', async () => {
    const targets = await targetsOf('{"interval": 15, "targets": [{"address": "127.0.0.1:9", "health": false}]}');
    expect(targets).toMatchObject([{ intervalMs: 15_000, health: false }]);
  });

  test('has texts as they stand, and lists for what may be given twice', async () => {
    const text = `
targets:
  - address: 127.0.0.1:9
    message: 0102
    expect: [ 'no', 0x1 ]
    any-source: yes
`;
    const [target] = await targetsOf(text);
    expect(target?.exchange).toMatchObject({
      messages: { payloads: [Buffer.from('0102')] },
      written: { expect: ['no', '0x1'] },
      repliesFrom: 'anyone',
    });
  });

  test('replaces the message of an outer level by the nearest source of one', async () => {
    const text = `
probe: dns:example.com
targets:
  - { address: '127.0.0.1:9', message: text }
  - { address: '127.0.0.1:10', size: 5 }
  - { address: '127.0.0.1:11' }
`;
    const kinds = (await targetsOf(text)).map(({ exchange }) => exchange.messages.kind);
    expect(kinds).toEqual(['payloads', 'generated', 'probe']);
  });

  test('names files from where it is', async () => {
    mkdirSync(join(folder, 'messages'), { recursive: true });
    write('messages/ping', 'from a file');
    const [target] = await targetsOf('{ targets: [ { address: "127.0.0.1:9", file: messages/ping } ] }');
    expect(target?.exchange.messages).toEqual({ kind: 'files', paths: [join(folder, 'messages/ping')] });
  });

  test.each([
    ['targets: []', 'targets.yaml:1: targets: the list is empty'],
    ['interval: 5s', 'targets.yaml:1: targets: it must be a list of targets'],
    ['- a', 'targets.yaml:1: a file of targets must have keys'],
    ['targets: [ { module: x } ]', 'targets.yaml:1: targets[1].module: there is no module "x"'],
    ['targets:\n  - {}', 'targets.yaml:2: targets[1]: a target needs an address'],
    [
      'targets:\n  - { address: "127.0.0.1" }',
      /^targets\.yaml:2: targets\[1\]: invalid address "127\.0\.0\.1": it has no port/,
    ],
    ['intervall: 5s\ntargets: []', 'targets.yaml:1: intervall: there is no such key'],
    [
      'modules:\n  a:\n    wate: 5s\ntargets: [ { address: "1.2.3.4:5" } ]',
      'targets.yaml:3: modules.a.wate: there is no such key',
    ],
    [
      'targets:\n  - address: 127.0.0.1:9\n    rise: none',
      'targets.yaml:3: targets[1].rise: "none": A count is a whole number from 1.',
    ],
    [
      'targets:\n  - address: 127.0.0.1:9\n    duration: 5s',
      'targets.yaml:3: targets[1].duration: there is no such key',
    ],
    ['targets: [ { address: "127.0.0.1:9", health: maybe } ]', /targets\[1\]\.health: "maybe": it must be yes or no$/],
    ['targets: [ { address: "127.0.0.1:9", any-source: 1 } ]', /any-source: "1": it must be yes or no$/],
    [
      'targets: [ { address: "127.0.0.1:9", wait: 20s } ]',
      "targets.yaml:1: targets[1]: option '-w, --wait' 20s is not shorter than the interval of 10s (--interval)",
    ],
    [
      'targets:\n  - { address: "127.0.0.1:9" }\n  - { address: "9" }',
      'targets.yaml:3: targets[2]: 127.0.0.1:9 is the name of targets[1] in line 2 already',
    ],
    [
      'targets:\n  - { address: "127.0.0.1:9", name: a }\n  - { address: "127.0.0.1:10", name: a }',
      'targets.yaml:3: targets[2]: a is the name of targets[1] in line 2 already',
    ],
    ['targets: [ { address: "127.0.0.1:9", labels: { le: x } } ]', /labels\.le: the metrics have this label already$/],
    ['targets: [ { address: "127.0.0.1:9", labels: { a-b: x } } ]', /labels\.a-b: a label has letters, digits and _/],
    ['targets: [ { address: "127.0.0.1:9", labels: { __a: x } } ]', /labels\.__a: a label has/],
    [
      'targets: [ { address: "127.0.0.1:9", probe: "radius:env:NO_SUCH" } ]',
      /^targets\.yaml:1: targets\[1\]: option '--probe': .*NO_SUCH, which is not set/,
    ],
    ['targets: [ {', /^targets\.yaml:1: /],
  ])('%j is an error', async (text, message) => {
    const error = await errorOf(text);
    if (typeof message === 'string') expect(error).toBe(message);
    else expect(error).toMatch(message);
  });

  test('that cannot be read, or stands beside an address, is status 2', async () => {
    expect(await udpcat(['watch', '--config', join(folder, 'none.yaml')])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/--config': cannot read .*none\.yaml: /),
    });
    expect(await udpcat(['watch', '--config', join(folder, 'none.yaml'), '127.0.0.1:9'])).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/targets come from one source only/),
    });
  });

  test('may say how the run ends, and what it writes', async () => {
    await using peer = await echoServer();
    const path = write(
      'run.yaml',
      `{ until: up, output: json, interval: 1s, targets: [ { address: "${peer.address}", name: the service } ] }`,
    );
    const { stdout, status } = await udpcat(['watch', '--config', path]);
    expect(status).toBe(0);
    expect(String(stdout)).toMatch(/"type":"state".*"target":"the service".*"to":"up"/);
  });
});

describe('SIGHUP', () => {
  test('reads the file anew: targets go on, come and go, and another check holds from the next on', async () => {
    await using one = await answeringServer(['a reply']);
    await using two = await answeringServer(['a reply']);
    const path = write(
      'reload.yaml',
      `{ interval: 200ms, targets: [ { address: "${one.address}", name: one }, { address: "${two.address}", name: two } ] }`,
    );
    await using running = start(['watch', '--config', path]);
    await Promise.all([running.until(/ one .* up after/), running.until(/ two .* up after/)]);
    await using three = await answeringServer(['a reply']);
    write(
      'reload.yaml',
      `{ interval: 300ms, targets: [ { address: "${one.address}", name: one, expect: other }, { address: "${three.address}", name: three } ] }`,
    );
    running.kill('SIGHUP');
    await running.until(/reload\.yaml was read again: 2 targets/, 'stderr');
    await running.until(/ three .* up after/);
    // Its state was kept: it goes down from up.
    await running.until(/ one .* down after \w+ up: (mismatch|silent), 3 of 3/);
    running.kill();
    expect((await running.outcome).status).toBe(0);
  });

  test('with an error in the file changes nothing, and tells it', async () => {
    await using peer = await echoServer();
    const path = write('broken.yaml', `{ interval: 200ms, targets: [ { address: "${peer.address}" } ] }`);
    await using running = start(['watch', '--config', path, '-o', 'json']);
    await running.until('"type":"state"');
    write('broken.yaml', '{ interval: 200ms, targetz: [] }');
    running.kill('SIGHUP');
    await running.until(
      /broken\.yaml:1: targetz: there is no such key; the targets from before are checked still/,
      'stderr',
    );
    await running.until(/"type":"error".*"code":"USAGE"/);
    await running.until(/"type":"error"[^]*"type":"check"/);
  });
});
