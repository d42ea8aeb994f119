import { expect, test } from '@jest/globals';
import { testInNamespaces } from '../support/namespaces.js';
import { expectShown, openPlace, type Place, stepsOf } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';
import { echoServer } from '../support/sockets.js';
import { startWatch } from '../support/watching-http.js';

const page = openPage('docs/http.md');
const PONG = 'exec udpcat serve 127.0.0.1:7000 --reply pong -o none';

async function startService(place: Place): Promise<void> {
  await place.startUnattended(PONG).until('listening on', 'stderr');
}

const watched = page.block('sh', 'HTTP');
const health = page.block('console', 'HTTP');
testInNamespaces(
  'curl reads the health of two targets as the page shows',
  async () => {
    await using place = await openPlace();
    await startService(place);
    const running = place.startUnattended(watched.code);
    await running.until(/ up after /);
    await running.until(/ down after /);
    await place.replay(health);
  },
  ['curl'],
);

const [modules, scraping] = page.blocks('yaml', 'Probe');
const probing = page.block('sh', 'Probe');
const probed = page.block('console', 'Probe');
testInNamespaces(
  'a probe by a module of the file gives what the page shows',
  async () => {
    await using place = await openPlace({ files: { 'modules.yaml': modules.code } });
    await startService(place);
    await place.startUnattended(probing.code).until('listening on', 'stderr');
    const [{ command, shown }] = stepsOf(probed.code);
    const { lines } = await place.run(command);
    expectShown(command, lines, shown);
    // The module of the other name server is right, too: nobody answers there.
    const { lines: dns } = await place.run(command.replace('module=game', 'module=dns'));
    expect(dns[0]).toBe('probe_success 0');
  },
  ['curl'],
);

testInNamespaces(
  'Prometheus takes the configuration for probes',
  async () => {
    await using place = await openPlace({ files: { 'prometheus.yml': scraping!.code } });
    const { status, lines } = await place.run('promtool check config prometheus.yml');
    expect(lines.join('\n')).toContain('SUCCESS');
    expect(status).toBe(0);
  },
  ['promtool'],
);

const caddyfile = page.block('caddyfile', 'Who may ask');
testInNamespaces(
  'a reverse proxy adds a password, and may ask for everything',
  async () => {
    const local = caddyfile.code.replace('watch.example.com', 'http://:8080');
    await using place = await openPlace({ files: { Caddyfile: `{\n  admin off\n}\n${local}` } });
    await startService(place);
    await place.startUnattended('exec udpcat watch --http 9000').until('listening on', 'stderr');
    const caddy = place.startUnattended('HOME=$PWD exec caddy run --config Caddyfile --adapter caddyfile');
    await caddy.until('serving initial configuration', 'stderr');
    const ask = async (password: string, path: string) => {
      const form = `curl -s -o /dev/null -w '%{http_code}' -u admin:${password} -H 'Host: watch.example.com'`;
      return (await place.run(`${form} 'http://127.0.0.1:8080${path}'`)).lines;
    };
    const path = '/probe?target=127.0.0.1:7000';
    // The proxy of the test serves every host: the name stands in the header only.
    expect(await ask('wrong', path)).toEqual(['401']);
    expect(await ask('example', path)).toEqual(['200']);
  },
  ['caddy', 'curl'],
);

const [targets, failing] = page.blocks('json', 'JSON');
test('the responses in JSON have the fields that the page shows', async () => {
  await using peer = await echoServer();
  await using run = await startWatch([peer.address, '--interval', '10s']);
  await run.until(/"type":"check"/);
  const shapeOf = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
    if (typeof value !== 'object' || value === null) return typeof value;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [name, name === 'labels' ? {} : shapeOf(inner)]),
    );
  };
  const shape = (text: string): unknown => shapeOf(JSON.parse(text));
  expect(shape((await run.get('/targets')).text)).toEqual(shape(targets.code));
  expect(shape((await run.get('/health', { Accept: 'application/json' })).text)).toEqual(shape(failing!.code));
});

test('the page names every metric of the targets, of the run and of a probe', async () => {
  await using peer = await echoServer();
  await using run = await startWatch([peer.address, '--interval', '10s']);
  const texts = [(await run.get('/metrics')).text, (await run.get(`/probe?target=${peer.address}`)).text];
  const names = texts.flatMap((text) =>
    [...text.matchAll(/^# TYPE ((?:udpcat|probe)_\w+) /gm)].map(([, name = '']) => name),
  );
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !page.text.includes(`\`${name}\``))).toEqual([]);
});

testAllTaken(page);
