/** Servers on two hosts, each the other's peer: what they must not do to each other, or to a host whose address is forged. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { shellOnTwoHosts, testInNamespaces } from '../support/namespaces.js';
import { forgingLine } from '../support/raw.js';
import { type JsonLine, jsonLines } from '../support/service.js';
import { commandLine, quote } from '../support/udpcat.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-hosts-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Datagrams that go round at once: as many rounds less until a guard has seen enough, which on a busy machine take long. */
const COPIES = 50;

/** How long servers run that do not fall silent, in milliseconds. */
const MOST_MS = 60_000;

const ADDRESSES = {
  4: { near: '10.9.8.1:7000', far: '10.9.8.2:7000' },
  6: { near: '[fd09:8::1]:7000', far: '[fd09:8::2]:7000' },
} as const;

/** A line of bash that ends once nothing has arrived at the near host for so many seconds. */
const silence = (seconds: number): string => {
  const arrived = "$(grep -hE '^Udp: [0-9]|^Udp6InDatagrams' /proc/net/snmp /proc/net/snmp6)";
  return `until before=${arrived}; sleep ${seconds}; [ "${arrived}" = "$before" ]; do :; done`;
};

/**
 * Runs a server on each of two hosts, and a line of bash on the near one once both listen; what the servers logged, which
 * end after it.
 */
async function onTwoHosts(
  family: 4 | 6,
  servers: { readonly near: readonly string[]; readonly far: readonly string[] },
  line: string,
): Promise<{ readonly near: JsonLine[]; readonly far: JsonLine[] }> {
  const logs = mkdtempSync(join(folder, 'logs-'));
  const service = (['near', 'far'] as const).map((host, index) => {
    const [command = '', ...options] = servers[host];
    const bounds = ['--duration', `${MOST_MS}ms`, '--stats', '--log-format', 'json'];
    const run = commandLine([command, ADDRESSES[family][host], ...options, ...bounds]);
    const address = `ip address add fd09:8::${index + 1}/64 dev lan0 nodad`;
    return `if [ $HOST = ${host} ]; then ${address}; exec ${run} 2>${quote(join(logs, host))}; fi`;
  });
  const both = (pattern: string): string =>
    `until [ "$(cat near far 2>/dev/null | grep -c ${quote(pattern)})" = 2 ]; do sleep 0.02; done`;
  const script = `{ cd ${quote(logs)}; ${both('listening on')}; ${line}; kill $(jobs -p); ${both('"durationMs"')}; }`;
  await using running = shellOnTwoHosts(service.join('; '), script);
  expect(await running.outcome).toMatchObject({ status: 0, stderr: '' });
  const read = (host: string): JsonLine[] => jsonLines(readFileSync(join(logs, host)));
  return { near: read('near'), far: read('far') };
}

/** The same with a file of rules in the place of an answer. */
function withRules(server: readonly string[]): readonly string[] {
  const at = server.indexOf('--rules') + 1;
  if (at === 0) return server;
  const file = join(mkdtempSync(join(folder, 'rules-')), 'rules.json');
  writeFileSync(file, JSON.stringify({ rules: [], default: { answer: server[at] } }));
  return server.with(at, file);
}

interface Summary {
  readonly received: number;
  readonly sent: number;
  readonly unanswered?: number;
  readonly peers: readonly { readonly first: string; readonly last: string }[];
}

const summary = (lines: readonly JsonLine[]): Summary => lines.at(-1) as unknown as Summary;

describe.each([4, 6] as const)('two servers on the hosts of an IPv%i network', (family) => {
  const { near, far } = ADDRESSES[family];

  /** Has a forged datagram set the two on each other; what follows `--rules` is the answer to everything. */
  const loop = (nearServer: readonly string[], farServer: readonly string[], copies: number, seconds = 2) => {
    const line = `${forgingLine(near, far, 'tick', copies)}; ${silence(seconds)}`;
    return onTwoHosts(family, { near: withRules(nearServer), far: withRules(farServer) }, line);
  };

  /** For how long something went round. */
  const spanMs = (lines: readonly JsonLine[]): number => {
    const [peer] = summary(lines).peers;
    return Date.parse(peer!.last) - Date.parse(peer!.first);
  };

  const loops: readonly {
    readonly near: readonly string[];
    readonly far: readonly string[];
    /**
     * How many datagrams the near host takes and answers at least. On a busy machine it takes more: forged datagrams that
     * come between two rounds have the guard begin anew. The far host leaves as many unanswered as go round at once.
     */
    readonly least?: number;
    /** How many answers the two send at most in a second. */
    readonly most?: readonly [number, number];
  }[] = [
    {
      near: ['echo'],
      far: ['echo'],
      least: 100,
    },
    {
      near: ['serve', '--reply', 'tock', '-o', 'none'],
      far: ['echo'],
      // What comes back first is "tick", and then "tock" goes round.
      least: 100 + COPIES,
    },
    { near: ['echo', '--corrupt', '100%'], far: ['echo'] },
    { near: ['echo', '--corrupt', '100%'], far: ['echo', '--corrupt', '100%'] },
    {
      near: ['echo', '--corrupt', '5%', '--duplicate', '100%'],
      far: ['echo', '--corrupt', '5%', '--duplicate', '100%'],
    },
    { near: ['echo', '--truncate', '50%', '--duplicate', '50%', '--jitter', '5ms'], far: ['echo'] },
    { near: ['echo'], far: ['serve', '-o', 'none', '--rules', '{counter}'], least: 32 + COPIES },
    { near: ['echo'], far: ['serve', '-o', 'none', '--rules', '{random:8}'], least: 32 + COPIES },
    // How many go round depends on the clock: two answers of one moment are the same, and count as one.
    { near: ['echo'], far: ['serve', '-o', 'none', '--amplify', '--rules', 'at {time}'] },
    { near: ['echo'], far: ['serve', '-o', 'none', '--amplify', '--rules', '{counter}', '--duplicate', '100%'] },
    { near: ['echo', '--jitter', '5ms', '--duplicate', '50%'], far: ['serve', '-o', 'none', '--rules', '{random:8}'] },
    // Nothing tells these two from clients.
    {
      near: ['serve', '-o', 'none', '--rules', '{random:8}'],
      far: ['serve', '-o', 'none', '--rules', '{random:8}', '--rate-limit', '1/s'],
    },
    {
      near: ['echo', '--truncate', '50%', '--duplicate', '50%', '--jitter', '5ms'],
      far: ['echo', '--reorder', '20%'],
      // An answer that is held back leaves up to 250 ms later, which may be when the first of its kind are a second old, and
      // as many more may be answered.
      // "tick" has five beginnings, of each of which 100 are answered in any second; the near one sends copies.
      most: [1000, 500],
    },
  ];
  for (const { near: one, far: other, least, most } of loops) {
    testInNamespaces.concurrent(
      `fall silent when a forged sender sets them on each other: ${one.join(' ')} on ${other.join(' ')}`,
      async () => {
        const logs = await loop(one, other, COPIES);
        const spansMs = [spanMs(logs.near), spanMs(logs.far)];
        for (const ms of spansMs) expect(ms).toBeLessThan(MOST_MS / 2);
        if (least !== undefined) {
          const { received, sent } = summary(logs.near);
          expect(received).toBeGreaterThanOrEqual(least);
          expect(sent).toBe(received);
          expect(summary(logs.far)).toMatchObject({ received: sent + COPIES, sent, unanswered: COPIES });
        }
        if (most !== undefined) {
          const seconds = 1 + Math.floor(Math.max(...spansMs) / 1000);
          expect(summary(logs.near).sent).toBeLessThanOrEqual(most[0] * seconds);
          expect(summary(logs.far).sent).toBeLessThanOrEqual(most[1] * seconds);
        }
      },
      ['socat'],
    );
  }

  testInNamespaces.concurrent(
    'fall silent, however long a round takes, where one sends back what a program answers',
    async () => {
      const logs = await loop(['echo'], ['serve', '-o', 'none', '--exec', 'date +%N'], 1, 5);
      expect(summary(logs.near)).toMatchObject({ received: 33, sent: 33 });
      expect(summary(logs.far)).toMatchObject({ received: 34, sent: 33, unanswered: 1 });
      expect(logs.far.filter(({ msg }) => /is not answered for a second: it sent back/.test(String(msg)))).toHaveLength(
        1,
      );
    },
    ['socat'],
  );

  /** What the near host hears to these messages, and what the far server logged. */
  const ask = async (server: readonly string[], messages: readonly string[]) => {
    const send = commandLine(['send', far, ...messages, '-n', 'all', '-w', '1s', '-o', 'utf8']);
    const logs = await onTwoHosts(family, { near: ['serve'], far: server }, `${send} >heard 2>/dev/null; true`);
    return logs.far;
  };

  testInNamespaces.concurrent(
    'answer nobody beyond the loopback with more than 3 times as much, and say so once',
    async () => {
      const lines = await ask(['serve', '--reply', 'x'.repeat(12), '-o', 'none'], ['', 'abc', 'abcd', 'abcde', 'ab']);
      expect(summary(lines)).toMatchObject({ received: 5, sent: 2, unanswered: 3 });
      expect(
        lines.filter(({ msg }) => /is not answered: 12 bytes to 0 .*--allow or --amplify/.test(String(msg))),
      ).toHaveLength(1);
    },
  );

  testInNamespaces.concurrent('count what --duplicate may add to an answer', async () => {
    const server = ['serve', '--reply', 'x'.repeat(12), '-o', 'none', '--duplicate', '0%'];
    expect(summary(await ask(server, ['abcd', 'abcdefg', 'abcdefgh']))).toMatchObject({
      received: 3,
      sent: 1,
      unanswered: 2,
    });
  });

  testInNamespaces.concurrent('count all that a rule answers, now and later', async () => {
    const rules = join(folder, 'rules.yaml');
    const answers = [{ text: 'sixsix' }, { text: 'sixsix', delay: '10ms' }];
    writeFileSync(rules, JSON.stringify({ rules: [{ when: { size: '1..' }, answers }] }));
    const lines = await ask(['serve', '--rules', rules, '-o', 'none'], ['abc', 'abcd']);
    expect(summary(lines)).toMatchObject({ received: 2, sent: 2, unanswered: 1 });
  });

  testInNamespaces.concurrent('measure what a program answers', async () => {
    const lines = await ask(['serve', '--exec', 'printf 123456789012', '-o', 'none'], ['abc', 'abcd']);
    expect(summary(lines)).toMatchObject({ received: 2, sent: 1, unanswered: 1 });
  });

  for (const option of [['--amplify'], ['--allow', family === 4 ? '10.9.8.0/24' : 'fd09:8::/64']]) {
    testInNamespaces.concurrent(`answer with as much as was asked for under ${option[0]}`, async () => {
      const server = ['serve', '--reply', 'x'.repeat(1000), '-o', 'none', ...option];
      expect(summary(await ask(server, ['', 'a']))).toMatchObject({ received: 2, sent: 2 });
    });
  }

  testInNamespaces.concurrent(
    'warn that everybody is answered, unless --allow or --rate-limit says otherwise',
    async () => {
      const warned = async (nearServer: readonly string[], farServer: readonly string[]): Promise<boolean[]> => {
        const logs = await onTwoHosts(family, { near: nearServer, far: farServer }, 'true');
        return [logs.near, logs.far].map((lines) =>
          lines.some(({ msg }) => /every host that reaches .*--allow or --rate-limit/.test(String(msg))),
        );
      };
      expect(await warned(['echo'], ['echo', '--rate-limit', '5/s'])).toEqual([true, false]);
      expect(await warned(['serve'], ['serve', '--reply', 'x'])).toEqual([false, true]);
      expect(await warned(['echo', '--rate-limit', 'max'], ['echo', '--allow', '::/0'])).toEqual([true, false]);
    },
  );
});
