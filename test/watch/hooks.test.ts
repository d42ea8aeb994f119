import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createLog } from '../../src/output/log.js';
import type { HookResult, StateEvent } from '../../src/watch/events.js';
import { type HookCall, type HookContext, Hooks } from '../../src/watch/hooks.js';
import { Kept } from '../support/in-process.js';
import { HANG_MS } from '../support/limits.js';
import { ended } from '../support/processes.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-hooks-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const EVENT: StateEvent = {
  type: 'state',
  target: 'dns-1',
  address: '192.0.2.1:53',
  from: 'up',
  to: 'down',
  verdict: 'silent',
  says: '192.0.2.1:53 did not answer within 2s',
  sinceMs: 5000,
};

/** Hooks whose programs run in the shell, and what became of them. */
function createHooks(concurrency = 16) {
  const force = new AbortController();
  const stderr = new Kept();
  const log = createLog(() => stderr, { level: 'info', format: 'pretty', colored: false });
  const results: { readonly target: string; readonly result: HookResult; readonly why: string | undefined }[] = [];
  const waiting = new Set<() => void>();
  const context: HookContext = {
    env: { PATH: process.env.PATH, NOTIFY_SOCKET: '/run/notify' },
    force: force.signal,
    log,
    programs: {
      detached: true,
      killTree: (pid) => {
        try {
          process.kill(-pid, 'SIGKILL');
        } catch {
          // It has ended.
        }
      },
    },
  };
  const hooks = new Hooks(context, concurrency);
  return {
    hooks,
    force,
    results,
    stderr,
    log,
    call: (line: string, changes: Partial<StateEvent> = {}, timeoutMs = HANG_MS): void => {
      const event = { ...EVENT, ...changes };
      const call: HookCall = {
        hook: { program: { kind: 'shell', line }, timeoutMs },
        event,
        line: `${JSON.stringify(event)}\n`,
        verdict: 'silent',
        done: (result, why) => {
          results.push({ target: event.target, result, why });
          for (const look of waiting) look();
        },
      };
      hooks.call(call);
    },
    collect: (n: number): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (results.length >= n) resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

describe('a program of --on-change', () => {
  test('gets the event on its stdin, and what matters of it in its environment', async () => {
    const { call, collect, results } = createHooks();
    const path = join(folder, 'event');
    call(`cat > ${path}; env | grep -E '^(UDPCAT|NOTIFY)' | sort >> ${path}`);
    await collect(1);
    expect(results).toEqual([{ target: 'dns-1', result: 'ok', why: undefined }]);
    expect(readFileSync(path, 'utf8').split('\n')).toEqual([
      JSON.stringify(EVENT),
      'UDPCAT_ADDRESS=192.0.2.1:53',
      'UDPCAT_PREVIOUS=up',
      'UDPCAT_SAYS=192.0.2.1:53 did not answer within 2s',
      'UDPCAT_STATE=down',
      'UDPCAT_TARGET=dns-1',
      'UDPCAT_VERDICT=silent',
      '',
    ]);
  });

  test('that fails is counted, and tells why', async () => {
    const { call, collect, results, stderr, log } = createHooks();
    call('echo trouble >&2; exit 3');
    await collect(1);
    expect(results).toEqual([{ target: 'dns-1', result: 'failed', why: 'the program ended with status 3' }]);
    await log.flush();
    expect(stderr.text).toBe('udpcat: dns-1: trouble\n');
  });

  test('that hangs is killed with all that it started', async () => {
    const { call, collect, results } = createHooks();
    const path = join(folder, 'child');
    call(`sleep 1000 & echo $! > ${path}; wait`, {}, 500);
    await collect(1);
    expect(results).toMatchObject([{ result: 'timeout', why: expect.stringContaining('(--exec-timeout)') }]);
    // A busy machine may have killed it before it came so far.
    if (existsSync(path)) await ended(Number(readFileSync(path, 'utf8')));
  });

  test('may write without end to stdout, which nobody reads', async () => {
    const { call, collect, results } = createHooks();
    call('head -c 300000000 /dev/zero');
    await collect(1);
    expect(results).toMatchObject([{ result: 'ok' }]);
  });

  test('is heard on stderr, up to a limit', async () => {
    const { call, collect, stderr, log } = createHooks();
    call('yes trouble | head -n 100000 >&2');
    await collect(1);
    await log.flush();
    const lines = stderr.text.trimEnd().split('\n');
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe('udpcat: dns-1: (99900 more lines)');
  });

  test('gets says without a NUL, which no variable can hold', async () => {
    const { call, collect, results } = createHooks();
    const path = join(folder, 'nul');
    call(`printf %s "$UDPCAT_SAYS" > ${path}`, { says: 'the reply is "a\0b"' });
    await collect(1);
    expect(results).toMatchObject([{ result: 'ok' }]);
    expect(readFileSync(path, 'utf8')).toBe('the reply is "a\\0b"');
  });
});

describe('the programs of --on-change', () => {
  test('run one at a time for a target, and only for the newest of the changes that come meanwhile', async () => {
    const { call, collect, results } = createHooks();
    const path = join(folder, 'order');
    const gate = join(folder, 'gate');
    // The first one ends when the test says so.
    call(`mkfifo ${gate}; echo $UDPCAT_STATE 1 >> ${path}; read -r _ < ${gate}`, { to: 'down' });
    for (const [nth, to] of (['up', 'down', 'up'] as const).entries()) {
      call(`echo $UDPCAT_STATE ${nth + 2} >> ${path}`, { to });
    }
    await collect(2);
    expect(results.map(({ result }) => result)).toEqual(['superseded', 'superseded']);
    const opened = createHooks();
    opened.call(`while ! test -p ${gate}; do :; done; echo > ${gate}`);
    await collect(4);
    expect(results.map(({ result }) => result)).toEqual(['superseded', 'superseded', 'ok', 'ok']);
    expect(readFileSync(path, 'utf8')).toBe('down 1\nup 4\n');
  });

  test('are at most as many at a time as they may be, of all targets together', async () => {
    const { call, collect } = createHooks(2);
    const path = join(folder, 'concurrent');
    for (let nth = 0; nth < 6; nth += 1) {
      call(`echo + >> ${path}; sleep 0.1; echo - >> ${path}`, { target: `target-${nth}` });
    }
    await collect(6);
    let running = 0;
    const most = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((sign) => (running += sign === '+' ? 1 : -1));
    expect(Math.max(...most)).toBe(2);
  });

  test('are waited for at the end, those too that wait for their turn', async () => {
    const { call, hooks, results } = createHooks(1);
    for (const target of ['a', 'b', 'c']) call('sleep 0.05', { target });
    await hooks.settled(HANG_MS);
    expect(results.map(({ result }) => result)).toEqual(['ok', 'ok', 'ok']);
  });

  test('are killed when the time for that is over, and the rest does not run', async () => {
    const { call, hooks, results } = createHooks(1);
    for (const target of ['a', 'b']) call('sleep 1000', { target });
    await hooks.settled(100);
    expect(results.map(({ target, result }) => `${target} ${result}`)).toEqual(['a failed', 'b failed']);
  });

  test('are killed at once by the second signal', async () => {
    const { call, hooks, results, force } = createHooks();
    call('sleep 1000');
    const settled = hooks.settled(HANG_MS);
    force.abort('again');
    await settled;
    expect(results).toMatchObject([{ result: 'failed' }]);
  });
});
