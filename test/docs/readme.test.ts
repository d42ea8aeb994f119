import { describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FIRST_USER_PORT, MAX_AMPLIFICATION, MAX_IDENTICAL } from '../../src/guard/limits.js';
import { EXIT_STATUSES } from '../../src/run/exit-code.js';
import { MAX_PEERS } from '../../src/stats/peers.js';
import { closedPort, echoServer } from '../support/sockets.js';
import { commandLine, shell, start, udpcat } from '../support/udpcat.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = readFileSync(`${root}/README.md`, 'utf8');

/** The README's blocks of one language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code = '']) => code);
}

/** Runs an example as a module of somebody who has installed the package. */
function runModule(code: string) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: root });
  const output = new Promise<string>((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('close', () => {
      resolve(text);
    });
  });
  return { child, output };
}

describe('the README', () => {
  test('says of each exit status what the manual page says', () => {
    const [, section = ''] = /^## Exit status\n(.*?)(?=^## )/ms.exec(readme) ?? [];
    const rows = [...section.matchAll(/^\| ([\d, ]+) \| (.*) \|$/gm)].map(([, status, meaning]) => ({
      status,
      meaning,
    }));
    expect(rows).toEqual(EXIT_STATUSES.map(({ status, meaning }) => ({ status, meaning })));
  });

  test('names the limits that hold', () => {
    expect(readme).toContain(`source ports below ${FIRST_USER_PORT}`);
    expect(readme).toContain(`of identical datagrams from one peer they answer at most ${MAX_IDENTICAL} in any second`);
    expect(readme).toContain(`an answer larger than ${MAX_AMPLIFICATION} times the question`);
    expect(readme).toContain(`The first ${MAX_PEERS} peers are counted`);
  });

  const [server = '', client = ''] = blocks('js');

  test('has an echo server that answers, as written but for the port', async () => {
    const port = String(await closedPort(4));
    const { child, output } = runModule(server.replaceAll('9999', port));
    const { status } = await udpcat(['send', port, 'hello', '--expect-exact', 'hello', '--retry', '1200', '-w', '4m']);
    child.kill();
    await output;
    expect(status).toBe(0);
  });

  test('has an echo client that prints what comes back, as written but for the port', async () => {
    await using echo = await echoServer(4);
    const { output } = runModule(client.replaceAll('9999', String(echo.port)));
    expect(await output).toBe('Hello, World!\n');
  });

  test('shows two terminals whose commands do what it says', async () => {
    const [, session = ''] = blocks('console');
    const [serverLine = ''] = /(?<=npx udpcat ).*/.exec(blocks('console')[0] ?? '') ?? [];
    expect(serverLine).toBe("serve 127.0.0.1:8000 --reply 'got it'");
    await using server = start(['serve', '127.0.0.1:0', '--reply', 'got it']);
    const address = await server.listening();
    const closed = `127.0.0.1:${await closedPort(4)}`;
    const here = session.replaceAll('127.0.0.1:8000', address).replaceAll('127.0.0.1:8001', closed);
    const commands = [...here.matchAll(/^\$ npx udpcat (.*)$/gm)].map(([, command = '']) => command);
    expect(commands).toHaveLength(4);
    const shown = here.replaceAll(/^\$ .*\n/gm, '');
    const script = commands.map((command) => `${commandLine([])} ${command}`).join('\n');
    await using run = shell(`exec 2>&1\n${script}`);
    expect((await run.outcome).stdout.toString()).toBe(shown);
  });

  test('has a name server of ten lines of rules that answers as it shows', async () => {
    const section = readme.slice(readme.indexOf('### Answers by rules'), readme.indexOf('### Answers by a program'));
    const [, rules = ''] = /^```yaml\n(.*?)^```/ms.exec(section) ?? [];
    const [, session = ''] = /^```console\n(.*?)^```/ms.exec(section) ?? [];
    expect(rules.trimEnd().split('\n')).toHaveLength(10);
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-readme-'));
    try {
      writeFileSync(join(folder, 'dns.yaml'), rules);
      const [, line = ''] = /`udpcat (serve .*?)`/.exec(section) ?? [];
      await using server = start(line.replace('5300', '0').split(' '), { cwd: folder });
      const here = session.replaceAll('127.0.0.1:5300', await server.listening());
      const script = here.replaceAll(/^(?!\$ ).*\n/gm, '').replaceAll(/^\$ npx udpcat/gm, commandLine([]));
      await using run = shell(`exec 2>&1\n${script}`);
      expect((await run.outcome).stdout.toString()).toBe(here.replaceAll(/^\$ .*\n/gm, ''));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    { nth: 0, answer: 'HELLO' },
    { nth: 1, answer: '127.0.0.1 said hello\n' },
  ])('has programs that answer, example $nth', async ({ nth, answer }) => {
    const section = readme.slice(readme.indexOf('### Answers by a program'));
    const [, block = ''] = /^```sh\n(.*?)^```/ms.exec(section) ?? [];
    const line = block.split('\n')[nth]?.replace('udpcat', commandLine([])).replace('8000', '0') ?? '';
    await using server = shell(`exec ${line}`);
    const address = await server.listening();
    expect(await udpcat(['send', address, 'hello', '--expect-exact', answer, '-w', '4m'])).toMatchObject({ status: 0 });
  });

  test('names the command that runs the tests, and the one that starts the main job', () => {
    expect(blocks('sh')).toEqual(
      expect.arrayContaining(['npm ci && npx udpcat serve 127.0.0.1:8000\n', 'npm ci && npm test\n']),
    );
  });
});
