import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import { FORMAT_NAMES } from '../../src/output/formats/table.js';
import { EXIT_STATUSES } from '../../src/run/exit-code.js';
import { PeerTable } from '../../src/stats/peers.js';
import { Responders } from '../../src/stats/responders.js';
import { Totals } from '../../src/stats/totals.js';
import { runInProcess } from '../support/in-process.js';
import { testInNamespaces } from '../support/namespaces.js';
import { openPlace } from '../support/page-runs.js';
import { openPage, ROOT, testAllTaken } from '../support/pages.js';
import { closedAddress } from '../support/sockets.js';

const page = openPage('docs/output.md');

const [server, client] = page.blocks('console', 'Formats');
const summary = page.block('console', 'Summary in words');
testInNamespaces('the formats are as the page shows them', async () => {
  await using place = await openPlace();
  await place.replay(server, client!, summary);
});

const lines = page.blocks('sh');
testInNamespaces('every command line of the page runs', async () => {
  await using place = await openPlace();
  await place.runLines(...lines);
});

/** Words in backquotes of the part of the page from one heading to the next one. */
function named(heading: string): Set<string> {
  const from = page.text.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`${page.path} has no "${heading}"`);
  const [section = ''] = page.text.slice(from + heading.length + 2).split(/^##/m);
  return new Set([...section.replaceAll(/^```.*?^```/gms, '').matchAll(/`([^`\n]+)`/g)].map(([, word = '']) => word));
}

/** Paths of all values: `dropped.kernel`, `peers[].bytes`. */
function pathsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) {
    const inside = value.flatMap((item) => (typeof item === 'object' ? pathsOf(item, `${path}[]`) : []));
    return inside.length === 0 ? [path] : inside;
  }
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([name, inner]) => pathsOf(inner, path === '' ? name : `${path}.${name}`));
}

/** Paths of a line that the page does not name below one of the headings. An object is named by its members. */
function unnamed(line: unknown, ...headings: string[]): string[] {
  const words = headings.flatMap((heading) => [...named(heading)]);
  return pathsOf(line).filter(
    (path) => !words.some((word) => word === path || word.startsWith(`${path}.`) || word.startsWith(`${path}[]`)),
  );
}

interface Event {
  readonly type: string;
}

const unnamedOfEvent = (event: Event): string[] => unnamed(event, '## JSON', `### \`${event.type}\``);
const eventsOf = (text: string): Event[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{"v":1'))
    .map((line) => JSON.parse(line) as Event);

describe('the fields of JSON', () => {
  const examples = page.blocks('json');

  test('are those of the examples, and every type has one', () => {
    const events = examples.flatMap(({ code }) => eventsOf(code));
    expect(events.flatMap(unnamedOfEvent)).toEqual([]);
    const types = [...page.text.matchAll(/^### `(\w+)`$/gm)].map(([, type]) => type);
    expect([...new Set(events.map(({ type }) => type))]).toEqual(types);
    for (const { code, heading } of examples) {
      if (/^`\w+`$/.test(heading)) expect(eventsOf(code).map(({ type }) => `\`${type}\``)).toContain(heading);
    }
  });

  test('are those of the pinned runs', () => {
    const snapshots = readFileSync(join(ROOT, 'test/cli/__snapshots__/pinned.test.ts.snap'), 'utf8');
    const events = eventsOf(
      snapshots
        .replaceAll('"{"v":1', '{"v":1')
        .replaceAll(/(?<=:)NUMBER/g, '1')
        .replaceAll(/(?<=:)HISTOGRAM/g, '[{"fromMs":0,"toMs":1,"count":1}]'),
    );
    expect(new Set(events.map(({ type }) => type))).toEqual(
      new Set(['listening', 'datagram', 'stray', 'error', 'verdict', 'summary']),
    );
    expect(events.flatMap(unnamedOfEvent)).toEqual([]);
  });

  test('are those of a probe', async () => {
    const { stdout } = await runInProcess(['send', await closedAddress(), '--probe', 'statsd:hits', '-o', 'json']);
    const [verdict] = eventsOf(stdout).filter(({ type }) => type === 'verdict');
    expect(verdict).toMatchObject({ probe: 'statsd' });
    expect(unnamedOfEvent(verdict!)).toEqual([]);
  });

  test('are those of a summary in which no count is 0', () => {
    const totals = Object.assign(new Totals(), {
      kernelIsLowerBound: true,
      unrecorded: 1,
      denied: 1,
      unanswered: 1,
      strays: 1,
      receiveErrors: 1,
      notSent: [{ kind: 'other receiver', count: 1, name: 'TCP', to: '192.0.2.1:53' }],
    });
    const responders = new Responders();
    for (let port = 1; port <= 1025; port += 1) {
      responders.take(
        { data: new Uint8Array(), remote: { address: '192.0.2.1', port }, local: undefined, timeMs: 1 },
        1,
      );
    }
    totals.responders = responders;
    const peers = new PeerTable(true, 1);
    const [data] = new NumberedPayloads(20).take(1, 1);
    for (const port of [1, 2, 1, 2]) {
      const remote = { address: '192.0.2.1', port };
      peers.count([{ data: data!, remote, local: undefined, timeMs: 1000 * peers.bytes }]);
    }
    const fields = { ...totals.fields(), ...peers.fields() };
    expect(pathsOf(fields)).toEqual(
      expect.arrayContaining([
        'notSent[].to',
        'otherPeers.perSecond',
        'otherResponders.replies',
        'peers[].lost',
        'receiveErrors',
      ]),
    );
    expect(unnamed(fields, '### `summary`')).toEqual([]);
  });

  test('are those of messages as JSON', async () => {
    const shown = examples.filter(({ heading }) => heading === 'Messages as JSON').map(({ code }) => code);
    const runs = [
      ['serve', '--count', '0'],
      ['serve', '-v', '--duration', '1ms', '--stats'],
      ['send', await closedAddress(), 'a', '-n', '1', '-v'],
    ].map((args) => runInProcess([...args, '--log-format', 'json']));
    const said = (await Promise.all(runs)).map(({ stderr }) => stderr);
    const messages = [...shown, ...said]
      .flatMap((text) => text.trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as object);
    expect(messages.length).toBeGreaterThan(8);
    expect(messages.flatMap((message) => unnamed(message, '### Messages as JSON', '### `summary`'))).toEqual([]);
  });
});

describe('the tables', () => {
  test('have every format', () => {
    const [, table = ''] = /^\| `-o, --output` \|.*\n((?:\|.*\n)*)/m.exec(page.text) ?? [];
    const names = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    expect(names.toSorted()).toEqual(FORMAT_NAMES.toSorted());
  });

  test('say of each exit status what the manual page says', () => {
    const rows = [...page.text.matchAll(/^\| ([\d, ]+) \| (.*) \|$/gm)].map(([, status, meaning]) => ({
      status,
      meaning,
    }));
    expect(rows).toEqual(EXIT_STATUSES.map(({ status, meaning }) => ({ status, meaning })));
  });
});

testAllTaken(page);
