import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { createLog, type Log, type LogOptions } from '../../src/output/log.js';
import { StatusLine } from '../../src/output/status-line.js';
import { screen } from '../support/screen.js';

/** Makes a terminal of a width. It keeps everything written to it. */
function createTerminal(columns?: number) {
  let written = '';
  const stream = Object.assign(new PassThrough(), { columns });
  stream.on('data', (chunk: Buffer) => (written += chunk.toString()));
  return { stream, written: () => written, shown: () => screen(written) };
}

describe('the status line', () => {
  test('is replaced in place, and gone at the end', async () => {
    const { stream, shown } = createTerminal(80);
    const line = new StatusLine(() => stream);
    line.set('a longer text');
    expect(shown()).toEqual(['a longer text']);
    line.set('short');
    await once(stream, 'data');
    expect(shown()).toEqual(['short']);
    line.set(undefined);
    expect(shown()).toEqual(['']);
  });

  test('may have several rows, each cut to the width, which are replaced in place', async () => {
    const { stream, shown } = createTerminal(10);
    const line = new StatusLine(() => stream);
    line.set(() => [[{ text: 'first' }, { text: ' row and more' }], [{ text: 'second' }], [{ text: 'third' }]]);
    expect(shown()).toEqual(['first row', 'second', 'third']);
    line.set(() => [[{ text: 'one' }], [{ text: 'two' }]]);
    await once(stream, 'data');
    expect(shown()).toEqual(['one', 'two']);
    line.erase();
    stream.write('a line\n');
    line.draw();
    expect(shown()).toEqual(['a line', 'one', 'two']);
    line.set(undefined);
    expect(shown()).toEqual(['a line', '']);
  });

  test('has colours that take no room, and nothing else that acts on the terminal', () => {
    const { stream, written, shown } = createTerminal(6);
    const line = new StatusLine(() => stream);
    const paint = (text: string): string => `\x1b[31m${text}\x1b[39m`;
    line.set(() => [
      [
        { text: 'red', paint },
        { text: '\x1b[2J', paint },
        { text: 'cut off', paint },
      ],
    ]);
    expect(shown()).toEqual(['red\\x']);
    expect(written()).not.toContain('\x1b[2J');
  });

  test('changes at most four times a second, and shows the latest text then', async () => {
    const { stream, written, shown } = createTerminal(80);
    const line = new StatusLine(() => stream);
    let changes = 0;
    stream.on('data', () => (changes += 1));
    const startMs = performance.now();
    for (let count = 0; changes < 3; count += 1) {
      line.set(`text ${count}`);
      await delay(1);
    }
    // A change may come late, but not too early. Timers may fire slightly early.
    expect(performance.now() - startMs).toBeGreaterThan(490);
    expect(shown()).not.toEqual(['text 0']);
    line.set(undefined);
    expect(written().match(/text/g)).toHaveLength(3);
  });

  test('is cut to the width of the terminal by characters, and 80 where that is not known', () => {
    for (const [columns, length] of [
      [10, 9],
      [0, 79],
      [undefined, 79],
    ] as const) {
      const { stream, shown } = createTerminal(columns);
      new StatusLine(() => stream).set('😀'.repeat(100));
      expect(shown()).toEqual(['😀'.repeat(length)]);
    }
  });

  test('lets no control character reach the terminal', () => {
    const { stream, written } = createTerminal(80);
    new StatusLine(() => stream).set('\x1b[2Jred\n');
    expect(written()).toBe('\r\x1b[K\\x1b[2Jred\\n');
  });

  test('goes away at once for what others write there, and comes back by itself', async () => {
    const { stream, shown } = createTerminal(80);
    const line = new StatusLine(() => stream);
    line.putAside();
    line.set('status');
    line.putAside();
    line.putAside();
    expect(shown()).toEqual(['']);
    stream.write('data\n');
    await once(stream, 'data');
    while (shown().at(-1) === '') await once(stream, 'data');
    expect(shown()).toEqual(['data', 'status']);
    line.putAside();
    line.set(undefined);
    await delay(100);
    expect(shown()).toEqual(['data', '']);
  });

  test('opens its stream with the first text, and writes nothing while there is none', () => {
    const line = new StatusLine(() => {
      throw new Error('opened');
    });
    line.set(undefined);
    line.putAside();
    line.draw();
    line.erase();
    expect(() => {
      line.set('text');
    }).toThrow('opened');
  });
});

describe('a log with a status line', () => {
  const create = (options: Partial<LogOptions> = {}): { log: Log } & ReturnType<typeof createTerminal> => {
    const at = createTerminal(80);
    const log = createLog(() => at.stream, {
      level: 'info',
      format: 'pretty',
      colored: false,
      hasStatus: true,
      ...options,
    });
    return { log, ...at };
  };

  test('writes its lines above it', async () => {
    const { log, shown } = create();
    log.status('status');
    log.info('one');
    await log.flush();
    log.warn('two');
    log.announce('three', {}, ['four']);
    const lines = ['udpcat: one', 'udpcat: warning: two', 'udpcat: three', 'udpcat: four'];
    expect(shown()).toEqual([...lines, 'status']);
    log.status(undefined);
    log.info('five');
    expect(shown()).toEqual([...lines, 'udpcat: five', '']);
  });

  test('lives on when its terminal is gone', async () => {
    const { log, stream } = create();
    log.status('status');
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.destroy(new Error('EIO'));
    await closed;
    log.status(undefined);
    log.info('lost');
    await log.flush();
  });

  test('shows none unless it was made with one', async () => {
    const { log, written } = create({ hasStatus: false });
    log.status('status');
    log.putStatusAside();
    log.info('said');
    await log.flush();
    log.status(undefined);
    expect({ hasStatus: log.hasStatus, written: written() }).toEqual({ hasStatus: false, written: 'udpcat: said\n' });
  });
});
