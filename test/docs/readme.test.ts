import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROBES } from '../../src/probes/table.js';
import { EXIT_STATUSES } from '../../src/run/exit-code.js';
import { testInNamespaces } from '../support/namespaces.js';
import { comparable, openPlace } from '../support/page-runs.js';
import { openPage, ROOT, testAllTaken } from '../support/pages.js';
import { closedPort, echoServer } from '../support/sockets.js';
import { quote, shell, udpcat } from '../support/udpcat.js';

const page = openPage('README.md');

test('the README fits on few screens', () => {
  expect(page.text.trimEnd().split('\n').length).toBeLessThanOrEqual(220);
  expect(page.text.trim().split(/\s+/).length).toBeLessThanOrEqual(1800);
});

test('the README says of each exit status what the manual page says', () => {
  const [, section = ''] = /^## Exit status\n(.*?)(?=^## )/ms.exec(page.text) ?? [];
  const rows = [...section.matchAll(/^\| ([\d, ]+) \| (.*) \|$/gm)].map(([, status, meaning]) => ({ status, meaning }));
  expect(rows).toEqual(EXIT_STATUSES.map(({ status, meaning }) => ({ status, meaning })));
});

test('the README names the commands that run from a clone, install, and test, and counts the probes', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  for (const words of [
    'npm ci && npx udpcat serve 127.0.0.1:8000',
    `npm install --global ./udpcat-${version}.tgz`,
    'npm ci && npm test',
    `shows all ${Object.keys(PROBES).length}`,
  ]) {
    expect(page.text).toContain(words);
  }
});

const minutes = page.blocks('console', 'Five minutes');
testInNamespaces.concurrent('five minutes show what the README shows', async () => {
  await using place = await openPlace();
  await place.replay(...minutes);
});

/** Answers as the name server of the example does. */
const DNS =
  'exec dnsmasq --keep-in-foreground --log-facility=- --conf-file=/dev/null --pid-file= --port=53 --user=root ' +
  '--listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --address=/example.com/192.0.2.10';

const things = page.blocks('console', 'Ten things to do');
testInNamespaces.concurrent(
  'ten things show what the README shows',
  async () => {
    expect(page.text.match(/^\*\*\d+\. /gm)).toHaveLength(10);
    await using place = await openPlace();
    await place.startUnattended(DNS).until('started', 'stderr');
    await place.startUnattended('exec udpcat echo 7000').until('listening on', 'stderr');
    await place.replay(...things);
  },
  ['dnsmasq'],
);

describe('the library', () => {
  const [server, client] = page.blocks('js', 'The library');

  /** Runs an example as a module of a program that has installed the package. */
  function runModule(code: string) {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: ROOT });
    const output = new Promise<string>((resolve) => {
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
      child.once('close', () => {
        resolve(text);
      });
    });
    return { child, output };
  }

  test('is an echo server that answers, as written but for the port', async () => {
    const port = String(await closedPort(4));
    const { child, output } = runModule(server.code.replaceAll('9999', port));
    const { status } = await udpcat(['send', port, 'hello', '--expect-exact', 'hello', '--retry', '1200', '-w', '4m']);
    child.kill();
    await output;
    expect(status).toBe(0);
  });

  test('is a client that prints the reply, as written but for the port', async () => {
    await using echo = await echoServer(4);
    const { output } = runModule(client!.code.replaceAll('9999', String(echo.port)));
    expect(await output).toBe('Hello, World!\n');
  });
});

describe('the picture', () => {
  const picture = join(ROOT, 'docs/terminal.svg');

  /** The rows of the terminals in a picture. */
  const linesOf = (path: string): string[] =>
    [...readFileSync(path, 'utf8').matchAll(/<text xml:space="preserve"[^>]*>(.*?)<\/text>/g)].map(([, spans = '']) =>
      spans
        .replaceAll(/<[^>]*>/g, '')
        .replaceAll('&gt;', '>')
        .replaceAll('&lt;', '<')
        .replaceAll('&amp;', '&'),
    );

  testInNamespaces.concurrent('shows a run of today', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-picture-'));
    try {
      const again = join(folder, 'again.svg');
      const draw = `ip link set lo up && exec ${[process.execPath, join(ROOT, 'scripts/terminal-svg.mjs'), again].map(quote).join(' ')}`;
      await using drawing = shell(`exec unshare --net sh -c ${quote(draw)}`);
      expect(await drawing.outcome).toMatchObject({ status: 0, stderr: '' });
      expect(comparable(linesOf(again))).toEqual(comparable(linesOf(picture)));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('needs nothing from elsewhere', () => {
    const text = readFileSync(picture, 'utf8').replace('xmlns="http://www.w3.org/2000/svg"', '');
    expect(text).not.toMatch(/https?:|<script|<image|@import|@font-face|href=/);
  });
});

testAllTaken(page);
