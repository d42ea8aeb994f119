import { expect } from '@jest/globals';
import { testInNamespaces } from '../support/namespaces.js';
import { ended, expectShown, openPlace, type Place, stepsOf } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/watch.md');
const [server, one, two] = page.blocks('console', 'Watch');
const wait = page.block('sh', 'Watch');

const hook = page.block('sh', 'Programs on a change');
const file = page.block('yaml', 'The file');
const fromFile = page.block('sh', 'The file');

const DNSMASQ =
  'exec dnsmasq --keep-in-foreground --log-facility=- --conf-file=/dev/null --pid-file= --port=53 --user=root ' +
  '--listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --address=/example.com/192.0.2.10';

async function startServer(place: Place): Promise<void> {
  const [{ command }] = stepsOf(server.code);
  await place.startUnattended(command).until('listening on', 'stderr');
}

testInNamespaces.concurrent('one target is checked until Ctrl-C, as the page shows', async () => {
  await using place = await openPlace();
  await startServer(place);
  const [{ command, shown }] = stepsOf(one!.code);
  const running = place.start(`${command} --no-color`);
  // A busy machine makes more checks, or slower ones: what matters is what each line says.
  await running.until(/ up after \w+ unknown: ok, 2 of 2\r\n[^]* ok /);
  running.type('\x03');
  const { lines, status } = await ended(running);
  expect(status).toBe(0);
  const kinds = (all: readonly string[]): string[] => [
    ...new Set(
      all.map((line) =>
        line
          .replace(/^\^C/, '')
          .replace(/^\S+Z /, 'TIME ')
          .replaceAll(/\d+ checks?/g, 'N checks')
          .replaceAll(/after \w+ /g, 'after N ')
          .replaceAll(/[\d.]+(?:\/[\d.]+)* ms/g, 'N ms'),
      ),
    ),
  ];
  expect(kinds(lines)).toEqual(kinds(shown));
});

testInNamespaces.concurrent(
  'two targets are checked, and the status is that of the one that failed, as the page shows',
  async () => {
    await using place = await openPlace();
    await startServer(place);
    const [{ command, shown }] = stepsOf(two!.code);
    const { lines } = await place.run(command);
    const durations = (all: readonly string[]): string[] => all.map((line) => line.replace(/after \w+ /, 'after N '));
    expectShown(command, durations(lines), durations(shown));
  },
);

testInNamespaces.concurrent(
  'a deployment waits for the name server that comes up',
  async () => {
    await using place = await openPlace();
    const waiting = place.startUnattended(wait.code.replace('--duration 30s', '--duration 200s'));
    await waiting.until(/ refused: /);
    await place.startUnattended(DNSMASQ).until('started', 'stderr');
    await waiting.until('deploy\n');
    expect((await waiting.outcome).status).toBe(0);
  },
  ['dnsmasq'],
);

testInNamespaces.concurrent('the program of the page runs when a target changes', async () => {
  await using place = await openPlace({
    files: { logger: '#!/bin/sh\ncat > said\n' },
  });
  const line = hook.code.replace('| logger', '| ./logger').replace('--until up', '--until down');
  expect((await place.startUnattended(line).outcome).status).toBe(0);
  const { lines } = await place.run('cat said');
  expect(lines).toEqual([
    '127.0.0.1:7000 is down: 127.0.0.1:7000 refused: nobody listens there, or a firewall prohibits it',
  ]);
});

testInNamespaces.concurrent('the program of the page runs nothing for a target that is up at the start', async () => {
  await using place = await openPlace();
  await startServer(place);
  await place.runLines(hook);
});

testInNamespaces.concurrent('the file of the page is read', async () => {
  await using place = await openPlace({ files: { 'targets.yaml': file.code } });
  // Nobody is at these addresses of the network: the checks fail, and the file was read.
  const { status, stderr } = await place.startUnattended(fromFile.code).outcome;
  expect([3, 4]).toContain(status);
  expect(stderr).toBe('');
});

const [example] = page.blocks('json', 'JSON');
testInNamespaces.concurrent('the events have the fields that the page shows', async () => {
  await using place = await openPlace();
  await startServer(place);
  const line = `udpcat watch 7000 7001 --checks 3 --retry-interval 200ms -o json --shell --on-change 'exit 3'`;
  const { stdout } = await place.startUnattended(line).outcome;
  const shapesOf = (text: string): Map<string, Set<string>> => {
    const shapes = new Map<string, Set<string>>();
    for (const written of text.trimEnd().split('\n')) {
      const event = JSON.parse(written) as { readonly type: string };
      const fields = shapes.get(event.type) ?? new Set();
      for (const path of pathsOf(event)) fields.add(path);
      shapes.set(event.type, fields);
    }
    return shapes;
  };
  const shown = shapesOf(example.code);
  for (const [type, fields] of shapesOf(String(stdout))) {
    // A target without a reply has no times.
    fields.delete('targets[].rtt');
    expect([type, [...fields].sort()]).toEqual([type, [...(shown.get(type) ?? [])].sort()]);
  }
});

/** Paths of all values: `targets[].rtt.minMs`. */
function pathsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, path === '' ? name : `${path}.${name}`));
}

testAllTaken(page);
