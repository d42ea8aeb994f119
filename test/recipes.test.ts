/** The recipes of the README, run as written, where the ports that they name are free: in a network of their own. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { testInNamespaces } from './support/namespaces.js';
import { PROGRAM_PATH } from './support/peers.js';
import { commandLine, quote, shell } from './support/udpcat.js';

const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8');
const recipes = readme.slice(readme.indexOf('### Recipes'), readme.indexOf('### Discovery'));

/** What stands between two texts in the one block of that language. */
function recipe(language: string, pattern: RegExp): string {
  const [, block = ''] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'ms').exec(recipes) ?? [];
  const [, found] = pattern.exec(block) ?? [];
  if (found === undefined) throw new Error(`the README has no ${language} recipe with ${String(pattern)}`);
  return found;
}

/** A folder with `udpcat` in it, as an installation has it on the PATH. */
const folder = mkdtempSync(join(tmpdir(), 'udpcat-recipes-'));

beforeAll(() => {
  const program = join(folder, 'udpcat');
  writeFileSync(program, `#!/bin/sh\nexec ${commandLine([])} "$@"\n`);
  chmodSync(program, 0o755);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const SERVICES = {
  /** Answers every ping. */
  pong: 'coproc SERVICE { exec udpcat serve 127.0.0.1:7000 --reply pong -o none 2>&1; }; read -r _ <&${SERVICE[0]}',
  /** Answers wrongly. */
  wrong: 'coproc SERVICE { exec udpcat serve 127.0.0.1:7000 --reply NOPE -o none 2>&1; }; read -r _ <&${SERVICE[0]}',
  /** A name server for example.com. */
  dns:
    'dnsmasq --conf-file=/dev/null --port=53 --listen-address=127.0.0.1 --bind-interfaces --user=root --no-resolv ' +
    '--no-hosts --pid-file=/mnt/pid --address=/example.com/192.0.2.10; SERVICE_PID=$(cat /mnt/pid)',
  none: ':',
} as const;

/** Runs a shell command line beside a service. */
async function run(line: string, service: keyof typeof SERVICES) {
  const script = `
    mount -t tmpfs none /mnt
    ip link set lo up
    ${SERVICES[service]}
    ${line}
    status=$?
    [ -z "$SERVICE_PID" ] || kill "$SERVICE_PID"
    exit "$status"`;
  await using running = shell(`exec unshare --net --mount bash -c ${quote(script)}`, {
    env: { PATH: `${folder}:${PROGRAM_PATH}` },
  });
  const { status, stdout, stderr } = await running.outcome;
  return { status, stdout: stdout.toString(), stderr };
}

const words = (json: string): string => (JSON.parse(json) as string[]).map(quote).join(' ');

const [, session = ''] = /^## Health checks\n.*?^```console\n(.*?)^```/ms.exec(readme) ?? [];

testInNamespaces(
  'the session that the README shows is a real one',
  async () => {
    const commands = [...session.matchAll(/^\$ npx (.*)$/gm)].map(([, command = '']) => command);
    expect(commands).toHaveLength(2);
    const { stdout } = await run(`exec 2>&1\n${commands.join('\n')}`, 'dns');
    expect(stdout).toBe(session.replaceAll(/^\$ .*\n/gm, ''));
  },
  ['dnsmasq'],
);

describe('the recipe for', () => {
  const docker = words(recipe('dockerfile', /CMD (\[.*\])/));
  testInNamespaces(
    'Docker is 0 and silent on stdout for a healthy service',
    async () => {
      expect(await run(docker, 'dns')).toMatchObject({ status: 0, stdout: '' });
    },
    ['dnsmasq'],
  );
  testInNamespaces('Docker is 1 for any other', async () => {
    expect(await run(docker, 'none')).toMatchObject({ status: 1, stdout: '' });
  });

  const kubernetes = words(recipe('yaml', /command: (\[.*\])/));
  testInNamespaces('Kubernetes is 0 for a healthy service', async () => {
    expect(await run(kubernetes, 'pong')).toEqual({ status: 0, stdout: '', stderr: '' });
  });
  testInNamespaces('Kubernetes is not 0 for one that answers wrongly, or is gone', async () => {
    expect(await run(kubernetes, 'wrong')).toMatchObject({ status: 5 });
    expect(await run(kubernetes, 'none')).toMatchObject({ status: 4 });
  });

  /** With the macros replaced as Nagios does, and limits for a machine that is busy. */
  const nagios = recipe('nagios', /command_line +(.*)/)
    .replace('$HOSTADDRESS$', '127.0.0.1')
    .replace('$ARG1$', 'example.com')
    .replace('--warn 200ms --critical 500ms --deadline 8s', '--warn 20s --critical 30s --deadline 60s');
  testInNamespaces(
    'Nagios is OK, with performance data, for a healthy service',
    async () => {
      const { status, stdout } = await run(nagios, 'dns');
      expect(stdout).toMatch(/^UDPCAT OK - dns: example\.com A 192\.0\.2\.10, .* \| rtt=[\d.]+ms;20000;30000;0\n$/);
      expect(status).toBe(0);
    },
    ['dnsmasq'],
  );
  testInNamespaces('Nagios is CRITICAL for one that is gone', async () => {
    const { status, stdout } = await run(nagios, 'none');
    expect(stdout).toMatch(/^UDPCAT CRITICAL - 127\.0\.0\.1:53 refused: .* \| rtt=U;20000;30000;0\n$/);
    expect(status).toBe(2);
  });

  const systemd = recipe('ini', /ExecStartPost=(.*)/);
  testInNamespaces('systemd waits until the service, started after it, answers', async () => {
    const late = `${systemd} & CHECK=$!
      # The first datagram has been refused before there is a service.
      until grep -q '^Udp: .*NoPorts' /proc/net/snmp && [ "$(awk '/^Udp: [0-9]/ { print $3 }' /proc/net/snmp)" -gt 0 ]; do :; done
      ${SERVICES.pong}
      wait $CHECK`;
    expect(await run(late, 'none')).toMatchObject({ status: 0 });
  });

  const script = recipe('bash', /^(if .*)$/m);
  testInNamespaces('a shell script tells up from down', async () => {
    expect(await run(script, 'pong')).toEqual({ status: 0, stdout: 'up\n', stderr: '' });
    expect(await run(script, 'wrong')).toMatchObject({ stdout: 'down\n' });
  });

  const cron = recipe('crontab', /^(?:\S+ ){5}(.*)$/m);
  testInNamespaces('cron writes nothing unless the service fails', async () => {
    expect(await run(cron, 'pong')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await run(cron, 'none')).toEqual({
      status: 4,
      stdout: '',
      stderr: 'udpcat: 127.0.0.1:7000 refused: nobody listens there, or a firewall prohibits it\n',
    });
  });
});
