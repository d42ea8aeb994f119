import { describe, expect } from '@jest/globals';
import { parse } from 'yaml';
import { testInNamespaces } from '../support/namespaces.js';
import { openPlace, type Place } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';
import { quote } from '../support/udpcat.js';

const page = openPage('docs/checks.md');

/** The part of a recipe that the pattern finds. */
function recipe(language: string, heading: string, pattern: RegExp): string {
  const [, found] = pattern.exec(page.block(language, heading).code) ?? [];
  if (found === undefined) throw new Error(`the recipe below "${heading}" has no ${String(pattern)}`);
  return found;
}

const commandLineOf = (words: readonly string[]): string => words.map(quote).join(' ');

/** A command line with time for a busy machine; for a service that answers, which ends the wait. */
const patient = (line: string): string => line.replace(/--deadline \d+s/, '--deadline 200s');

const SERVICES = {
  /** Answers every ping. */
  pong: { line: 'exec udpcat serve 127.0.0.1:7000 --reply pong -o none', ready: 'listening on' },
  /** Answers wrongly. */
  wrong: { line: 'exec udpcat serve 127.0.0.1:7000 --reply NOPE -o none', ready: 'listening on' },
  /** A name server for example.com. */
  dns: {
    line:
      'exec dnsmasq --keep-in-foreground --log-facility=- --conf-file=/dev/null --pid-file= --port=53 --user=root ' +
      '--listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --address=/example.com/192.0.2.10',
    ready: 'started',
  },
} as const;

async function startService(place: Place, service: keyof typeof SERVICES): Promise<void> {
  const { line, ready } = SERVICES[service];
  await place.startUnattended(line).until(ready, 'stderr');
}

/** Runs a command line as cron does, beside a service. */
async function run(line: string, service?: keyof typeof SERVICES) {
  await using place = await openPlace();
  if (service !== undefined) await startService(place, service);
  const { status, stdout, stderr } = await place.startUnattended(line).outcome;
  return { status, stdout: stdout.toString(), stderr };
}

const [dnsSession, pongSession] = page.blocks('console', 'Health checks');
testInNamespaces.concurrent(
  'a name server is checked as the page shows',
  async () => {
    await using place = await openPlace();
    await startService(place, 'dns');
    await place.replay(dnsSession);
  },
  ['dnsmasq'],
);

const explained = page.block('console', 'Why a check fails: --explain');
testInNamespaces.concurrent('a service is checked and explained as the page shows', async () => {
  await using place = await openPlace();
  await startService(place, 'pong');
  await place.replay(pongSession!, explained);
});

const probes = page.block('sh', 'Probes');
testInNamespaces.concurrent(
  'probes are listed, explained and sent as the page shows',
  async () => {
    await using place = await openPlace();
    await startService(place, 'dns');
    await place.startUnattended('exec udpcat serve 127.0.0.1:514').until('listening on', 'stderr');
    await place.runLines(probes);
  },
  ['dnsmasq'],
);

const [broadcast, multicast] = page.block('sh', 'Discovery').code.trimEnd().split('\n');
testInNamespaces.concurrent('hosts answer a question to all, each shown with its address', async () => {
  await using place = await openPlace();
  const server = place.startUnattended('exec udpcat serve "*:7000" --reply here -o none');
  await server.until('listening on', 'stderr');
  // The first reply ends the wait of the test.
  const asking = broadcast!.replace('-n all -w 1s', '-n 1 -w 200s');
  const { status, lines } = await place.run(asking);
  expect(lines.join('\n')).toMatch(/ 192\.0\.2\.1:7000 > \S+ 4 bytes, [\d.]+ ms: here/);
  expect(status).toBe(0);
});
testInNamespaces.concurrent('the question to the multicast group leaves, and nobody is there to answer', async () => {
  await using place = await openPlace();
  expect(await place.run(multicast!)).toMatchObject({ status: 3 });
});

describe('the recipe for', () => {
  const docker = commandLineOf(JSON.parse(recipe('dockerfile', 'Docker', /CMD (\[.*\])/)) as string[]);
  testInNamespaces.concurrent(
    'Docker is 0 and silent on stdout for a healthy service',
    async () => {
      expect(await run(patient(docker), 'dns')).toMatchObject({ status: 0, stdout: '' });
    },
    ['dnsmasq'],
  );
  testInNamespaces.concurrent('Docker is 1 for any other', async () => {
    expect(await run(docker)).toMatchObject({ status: 1, stdout: '' });
  });

  const container = parse(page.block('yaml', 'Kubernetes').code) as { livenessProbe: { exec: { command: string[] } } };
  const kubernetes = commandLineOf(container.livenessProbe.exec.command);
  testInNamespaces.concurrent('Kubernetes is 0 for a healthy service', async () => {
    expect(await run(patient(kubernetes), 'pong')).toEqual({ status: 0, stdout: '', stderr: '' });
  });
  testInNamespaces.concurrent('Kubernetes is not 0 for a service that answers wrongly, or is gone', async () => {
    // A wrong reply does not end the wait: the check lasts until its deadline, before which a busy machine must start it.
    const check = kubernetes.replace('4s', '12s');
    const [wrong, gone] = await Promise.all([run(check, 'wrong'), run(check)]);
    expect([wrong.status, gone.status]).toEqual([5, 4]);
  });

  /** With the macros replaced as Nagios does, and limits for a busy machine. */
  const nagios = recipe('nagios', 'Nagios and Icinga', /command_line +(.*)/)
    .replace('$HOSTADDRESS$', '127.0.0.1')
    .replace('$ARG1$', 'example.com')
    .replace('--warn 200ms --critical 500ms --deadline 8s', '--warn 20s --critical 30s --deadline 60s');
  testInNamespaces.concurrent(
    'Nagios is OK, with performance data, for a healthy service',
    async () => {
      const { status, stdout } = await run(nagios, 'dns');
      expect(stdout).toMatch(/^UDPCAT OK - dns: example\.com A 192\.0\.2\.10, .* \| rtt=[\d.]+ms;20000;30000;0\n$/);
      expect(status).toBe(0);
    },
    ['dnsmasq'],
  );
  testInNamespaces.concurrent('Nagios is CRITICAL for a service that is gone', async () => {
    const { status, stdout } = await run(nagios);
    expect(stdout).toMatch(/^UDPCAT CRITICAL - 127\.0\.0\.1:53 refused: .* \| rtt=U;20000;30000;0\n$/);
    expect(status).toBe(2);
  });

  const systemd = recipe('ini', 'systemd', /ExecStartPost=(.*)/);
  testInNamespaces.concurrent('systemd waits until the service, started later, answers', async () => {
    await using place = await openPlace();
    const check = place.startUnattended(systemd);
    // The first datagram is refused before the service starts.
    const refused = `until [ "$(awk '/^Udp: [0-9]/ { print $3 }' /proc/net/snmp)" -gt 0 ]; do :; done`;
    await place.startUnattended(refused).outcome;
    await startService(place, 'pong');
    expect(await check.outcome).toMatchObject({ status: 0 });
  });

  const script = page.block('bash', 'A shell script').code;
  testInNamespaces.concurrent('a shell script tells up from down', async () => {
    expect(await run(script, 'pong')).toEqual({ status: 0, stdout: 'up\n', stderr: '' });
    expect(await run(script, 'wrong')).toMatchObject({ stdout: 'down\n' });
  });

  const cron = recipe('crontab', 'cron', /^(?:\S+ ){5}(.*)$/m);
  testInNamespaces.concurrent('cron writes nothing unless the service fails', async () => {
    expect(await run(patient(cron), 'pong')).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(await run(cron)).toEqual({
      status: 4,
      stdout: '',
      stderr: 'udpcat: 127.0.0.1:7000 refused: nobody listens there, or a firewall prohibits it\n',
    });
  });
});

describe('the recipe of repeated checks for', () => {
  const ci = page.block('sh', 'Waiting in CI').code.replace('--duration 60s', '--duration 200s');
  testInNamespaces.concurrent('CI waits until the service, started later, answers', async () => {
    await using place = await openPlace();
    const waiting = place.startUnattended(ci);
    await waiting.until(/ refused: /);
    await startService(place, 'pong');
    await waiting.until('run the tests\n');
    expect((await waiting.outcome).status).toBe(0);
  });
  testInNamespaces.concurrent('CI fails with the status of the last check', async () => {
    const { status, stdout } = await run(ci.replace('--duration 200s', '--duration 2s'));
    expect(status).toBe(4);
    expect(stdout).not.toContain('run the tests');
  });

  const compose = parse(page.block('yaml', 'Waiting in docker compose').code) as {
    services: { ready: { command: string[] } };
  };
  testInNamespaces.concurrent(
    'docker compose ends when the name server answers',
    async () => {
      // The name of the service is one of the network of docker.
      const line = commandLineOf(compose.services.ready.command).replace('dns:53', '127.0.0.1:53');
      expect(await run(line.replace('--duration 60s', '--duration 200s'), 'dns')).toMatchObject({ status: 0 });
    },
    ['dnsmasq'],
  );

  const webhook = page.block('sh', 'A webhook on each change').code;
  testInNamespaces.concurrent(
    'a webhook hands it the event',
    async () => {
      await using place = await openPlace();
      const server = `
        require('node:http').createServer((request, response) => {
          request.setEncoding('utf8').on('data', (text) => process.stdout.write(request.url + ' ' + text));
          request.on('end', () => response.end());
        }).listen(8080, '127.0.0.1', () => console.log('ready'));`;
      const hook = place.startUnattended(`exec ${quote(process.execPath)} -e ${quote(server)}`);
      await hook.until('ready');
      const { status, stderr } = await place.startUnattended(`${webhook.trimEnd()} --until down`).outcome;
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      await hook.until(/^\/udp \{"v":1,"type":"state",.*"from":"unknown","to":"down","verdict":"refused"/m);
    },
    ['curl'],
  );

  const services = page.block('yaml', 'Five services in one terminal').code;
  const five = page.block('sh', 'Five services in one terminal').code.trimEnd();
  testInNamespaces.concurrent(
    'five services shows them in a table, and a change as a line',
    async () => {
      await using place = await openPlace({ files: { 'services.yaml': services } });
      await startService(place, 'dns');
      for (const port of [7001, 7002]) {
        await place
          .startUnattended(`exec udpcat serve 127.0.0.1:${port} --reply pong -o none`)
          .until('listening on', 'stderr');
      }
      const running = place.start(`${five} --no-color`);
      for (const name of ['dns-1', 'game-1', 'game-2']) {
        await running.until(new RegExp(`${name} 127\\.0\\.0\\.1:\\d+ up after `));
      }
      await running.until(/game-3 127\.0\.0\.1:7003 down after \w+ unknown: refused, 3 of 3/);
      await running.until(/game-3 +down \w+ +last -/);
      running.type('\x03');
      expect((await running.outcome).status).toBe(0);
    },
    ['dnsmasq'],
  );
});

describe('beside a load balancer or an orchestrator', () => {
  const watching = page.block('sh', 'Load balancers and orchestrators').code.trimEnd();
  const pod = page.block('yaml', 'A sidecar in Kubernetes').code;
  const [, awsPort = '', awsPath = ''] =
    /--health-check-protocol HTTP --health-check-port (\d+) --health-check-path (\S+)/.exec(
      page.block('sh', 'An AWS network load balancer').code,
    ) ?? [];
  const consul = JSON.parse(page.block('json', 'Consul').code) as { service: { check: { http: string } } };
  const haproxy = page.block('haproxy', 'HAProxy').code;
  const [, haproxyPath = ''] = /httpchk GET (\S+)/.exec(haproxy) ?? [];
  const [, haproxyPort = ''] = /check port (\d+)/.exec(haproxy) ?? [];

  const statusOf = async (place: Place, url: string): Promise<string> => {
    const { lines } = await place.run(`curl -s -o /dev/null -w '%{http_code}' ${quote(url)}`);
    return lines.join('');
  };

  testInNamespaces.concurrent(
    'each recipe asks a path that is 503 while the service is down, and 200 while it is up',
    async () => {
      await using place = await openPlace();
      const running = place.startUnattended(watching);
      const urls = [
        `http://192.0.2.1:${awsPort}${awsPath}`,
        consul.service.check.http,
        `http://192.0.2.1:${haproxyPort}${haproxyPath}`,
      ];
      await running.until(/ down after /);
      for (const url of urls) expect([url, await statusOf(place, url)]).toEqual([url, '503']);
      await startService(place, 'pong');
      await running.until(/ up after /);
      for (const url of urls) expect([url, await statusOf(place, url)]).toEqual([url, '200']);
    },
    ['curl'],
  );

  testInNamespaces.concurrent(
    'the sidecar answers the probes of the kubelet',
    async () => {
      await using place = await openPlace();
      await startService(place, 'pong');
      type HttpGet = { readonly httpGet: { readonly path: string; readonly port: number } };
      const { spec } = parse(pod) as {
        spec: {
          containers: [
            { readinessProbe: HttpGet },
            { readonly command: readonly string[]; readonly livenessProbe: HttpGet },
          ];
        };
      };
      const [{ readinessProbe }, { command, livenessProbe }] = spec.containers;
      await place.startUnattended(`exec ${commandLineOf(command)}`).until(/ up after /);
      for (const { httpGet } of [readinessProbe, livenessProbe]) {
        expect(await statusOf(place, `http://192.0.2.1:${httpGet.port}${httpGet.path}`)).toBe('200');
      }
    },
    ['curl'],
  );

  testInNamespaces.concurrent(
    'HAProxy takes its configuration',
    async () => {
      const defaults = 'defaults\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n';
      const frontend = 'frontend players\n  bind 127.0.0.1:8000\n  default_backend lobby\n';
      await using place = await openPlace({ files: { 'haproxy.cfg': `${defaults}${frontend}${haproxy}` } });
      expect(await place.run('haproxy -c -q -f haproxy.cfg')).toEqual({ status: 0, lines: [] });
    },
    ['haproxy'],
  );

  const [scraping, rules] = page.blocks('yaml', 'Prometheus');
  const places = page.block('yaml', 'More than one machine');
  testInNamespaces.concurrent(
    'Prometheus takes its configuration and the rules',
    async () => {
      const files = { 'prometheus.yml': scraping.code, 'udp-rules.yml': rules!.code, 'places.yml': places.code };
      await using place = await openPlace({ files });
      const checked = await place.run('promtool check config prometheus.yml && promtool check rules places.yml');
      expect(checked.status).toBe(0);
      expect(checked.lines.filter((line) => /SUCCESS: \d+ rules? found/.test(line))).toHaveLength(2);
    },
    ['promtool'],
  );
});

testAllTaken(page);
