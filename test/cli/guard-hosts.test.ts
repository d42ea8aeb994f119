/**
 * Two servers on two hosts, each the peer of the other. Guards must end their loops, and protect a host whose address
 * is forged.
 */
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

/**
 * Datagrams that go round at the same time. More of them need fewer rounds until a guard acts: rounds are slow on a
 * busy machine.
 */
const COPIES = 50;

/** Longest run of the servers in milliseconds, if no guard ends their loop. */
const MOST_MS = 60_000;

const ADDRESSES = {
  4: { near: '10.9.8.1:7000', far: '10.9.8.2:7000' },
  6: { near: '[fd09:8::1]:7000', far: '[fd09:8::2]:7000' },
} as const;

/** A line of bash that ends when no datagram has arrived at the near host for `seconds` seconds. */
const silence = (seconds: number): string => {
  const arrived = "$(grep -hE '^Udp: [0-9]|^Udp6InDatagrams' /proc/net/snmp /proc/net/snmp6)";
  return `until before=${arrived}; sleep ${seconds}; [ "${arrived}" = "$before" ]; do :; done`;
};

/**
 * Runs a server on each of two hosts. When both listen it runs a line of bash on the near host, and then ends the
 * servers. Returns their logs.
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

/** Replaces the response behind `--rules` by a file of rules that makes it. */
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

  /**
   * Starts a loop of the two servers by a forged datagram. The text behind `--rules` is the response to every request.
   */
  const loop = (nearServer: readonly string[], farServer: readonly string[], copies: number, seconds = 2) => {
    const line = `${forgingLine(near, far, 'tick', copies)}; ${silence(seconds)}`;
    return onTwoHosts(family, { near: withRules(nearServer), far: withRules(farServer) }, line);
  };

  /** Returns how long the loop lasted, in milliseconds. */
  const spanMs = (lines: readonly JsonLine[]): number => {
    const [peer] = summary(lines).peers;
    return Date.parse(peer!.last) - Date.parse(peer!.first);
  };

  const loops: readonly {
    readonly near: readonly string[];
    readonly far: readonly string[];
    /**
     * Fewest requests that the near host gets and responds to. On a busy machine there are more, because forged
     * datagrams between two rounds make the guard begin anew. The far host leaves all datagrams of a round without a
     * response.
     */
    readonly least?: number;
    /** Most responses of the near and of the far server in a second. */
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
      // The first datagram that comes back is "tick". Then "tock" goes round.
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
    // The number of rounds depends on the clock: responses with the same time are equal, and the guard counts equal
    // ones.
    { near: ['echo'], far: ['serve', '-o', 'none', '--amplify', '--rules', 'at {time}'] },
    { near: ['echo'], far: ['serve', '-o', 'none', '--amplify', '--rules', '{counter}', '--duplicate', '100%'] },
    { near: ['echo', '--jitter', '5ms', '--duplicate', '50%'], far: ['serve', '-o', 'none', '--rules', '{random:8}'] },
    // No guard can tell these two servers from clients.
    {
      near: ['serve', '-o', 'none', '--rules', '{random:8}'],
      far: ['serve', '-o', 'none', '--rules', '{random:8}', '--rate-limit', '1/s'],
    },
    {
      near: ['echo', '--truncate', '50%', '--duplicate', '50%', '--jitter', '5ms'],
      far: ['echo', '--reorder', '20%'],
      // A reordered response leaves up to 250 ms later. By then the second of the guard may be over, and twice as many
      // pass. Truncation makes five different payloads of "tick", and 100 of each pass in a second. The near server
      // also sends copies.
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
          const { received, sent, unanswered = 0 } = summary(logs.near);
          expect(received).toBeGreaterThanOrEqual(least);
          expect(received - sent).toBe(unanswered);
          // One of the two guards ends each of the loops. The sum of both is the number of loops.
          expect(summary(logs.far)).toMatchObject({
            received: sent + COPIES,
            sent: received,
            unanswered: COPIES - unanswered,
          });
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
    'fall silent if one echoes the responses of a program, however long a round takes',
    async () => {
      const logs = await loop(['echo'], ['serve', '-o', 'none', '--exec', 'date +%N'], 1, 5);
      // On a busy machine there are more: a response that comes back after more than a second begins a new row.
      const { received } = summary(logs.near);
      expect(received).toBeGreaterThanOrEqual(33);
      expect(summary(logs.near)).toMatchObject({ sent: received });
      expect(summary(logs.far)).toMatchObject({ received: received + 1, sent: received, unanswered: 1 });
      expect(logs.far.filter(({ msg }) => /is not answered for a second: it sent back/.test(String(msg)))).toHaveLength(
        1,
      );
    },
    ['socat'],
  );

  /** Sends messages from the near host. Returns the replies that it got, and the log of the far server. */
  const ask = async (server: readonly string[], messages: readonly string[]) => {
    const send = commandLine(['send', far, ...messages, '-n', 'all', '-w', '1s', '-o', 'utf8']);
    const logs = await onTwoHosts(family, { near: ['serve'], far: server }, `${send} >heard 2>/dev/null; true`);
    return logs.far;
  };

  testInNamespaces.concurrent(
    'send hosts beyond the loopback at most 3 times the bytes of a request, and warn once',
    async () => {
      const lines = await ask(['serve', '--reply', 'x'.repeat(12), '-o', 'none'], ['', 'abc', 'abcd', 'abcde', 'ab']);
      expect(summary(lines)).toMatchObject({ received: 5, sent: 2, unanswered: 3 });
      expect(
        lines.filter(({ msg }) => /is not answered: 12 bytes to 0 .*--allow or --amplify/.test(String(msg))),
      ).toHaveLength(1);
    },
  );

  testInNamespaces.concurrent('count the copies of --duplicate', async () => {
    const server = ['serve', '--reply', 'x'.repeat(12), '-o', 'none', '--duplicate', '0%'];
    expect(summary(await ask(server, ['abcd', 'abcdefg', 'abcdefgh']))).toMatchObject({
      received: 3,
      sent: 1,
      unanswered: 2,
    });
  });

  testInNamespaces.concurrent('count all responses of a rule, delayed ones included', async () => {
    const rules = join(folder, 'rules.yaml');
    const answers = [{ text: 'sixsix' }, { text: 'sixsix', delay: '10ms' }];
    writeFileSync(rules, JSON.stringify({ rules: [{ when: { size: '1..' }, answers }] }));
    const lines = await ask(['serve', '--rules', rules, '-o', 'none'], ['abc', 'abcd']);
    expect(summary(lines)).toMatchObject({ received: 2, sent: 2, unanswered: 1 });
  });

  testInNamespaces.concurrent('count the response of a program', async () => {
    const lines = await ask(['serve', '--exec', 'printf 123456789012', '-o', 'none'], ['abc', 'abcd']);
    expect(summary(lines)).toMatchObject({ received: 2, sent: 1, unanswered: 1 });
  });

  for (const option of [['--amplify'], ['--allow', family === 4 ? '10.9.8.0/24' : 'fd09:8::/64']]) {
    testInNamespaces.concurrent(`send larger responses with ${option[0]}`, async () => {
      const server = ['serve', '--reply', 'x'.repeat(1000), '-o', 'none', ...option];
      expect(summary(await ask(server, ['', 'a']))).toMatchObject({ received: 2, sent: 2 });
    });
  }

  testInNamespaces.concurrent('warn that they respond to everybody, except with --allow or --rate-limit', async () => {
    const warned = async (nearServer: readonly string[], farServer: readonly string[]): Promise<boolean[]> => {
      const logs = await onTwoHosts(family, { near: nearServer, far: farServer }, 'true');
      return [logs.near, logs.far].map((lines) =>
        lines.some(({ msg }) => /every host that reaches .*--allow or --rate-limit/.test(String(msg))),
      );
    };
    expect(await warned(['echo'], ['echo', '--rate-limit', '5/s'])).toEqual([true, false]);
    expect(await warned(['serve'], ['serve', '--reply', 'x'])).toEqual([false, true]);
    expect(await warned(['echo', '--rate-limit', 'max'], ['echo', '--allow', '::/0'])).toEqual([true, false]);
  });
});
