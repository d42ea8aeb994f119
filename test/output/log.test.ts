import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { createLog, LOG_LEVELS, type Log, type LogOptions } from '../../src/output/log.js';

/** Calls `say` with a log. Returns the lines that the log wrote. */
async function lines(say: (log: Log) => void | Promise<void>, options: Partial<LogOptions> = {}): Promise<string[]> {
  const stream = new PassThrough();
  const log = createLog(() => stream, { level: 'info', format: 'pretty', colored: false, ...options });
  await say(log);
  await log.flush();
  stream.end();
  const all = await text(stream);
  expect(all === '' || all.endsWith('\n')).toBe(true);
  return all.split('\n').slice(0, -1);
}

const sayAll = (log: Log): void => {
  log.debug('a debug line');
  log.info('an info line');
  log.warn('a warning');
  log.error('an error');
};

describe('a pretty log', () => {
  test('has the name of the command before each line, and marks warnings', async () => {
    expect(await lines(sayAll, { level: 'debug' })).toEqual([
      'udpcat: a debug line',
      'udpcat: an info line',
      'udpcat: warning: a warning',
      'udpcat: an error',
    ]);
  });

  test('does not show the fields', async () => {
    expect(await lines((log) => log.info('said', { port: 8000 }))).toEqual(['udpcat: said']);
  });

  test('escapes what strangers could have put into a line, and keeps it one line', async () => {
    expect(await lines((log) => log.error('from \x1b[2J\n\u202e\x9b\xe9'))).toEqual([
      'udpcat: from \\x1b[2J\\n\\xe2\\x80\\xae\\xc2\\x9bé',
    ]);
  });

  test('has colour only where it is wanted', async () => {
    const colored = await lines(sayAll, { level: 'debug', colored: true });
    expect(colored).toEqual([
      'udpcat: \x1b[2ma debug line\x1b[22m',
      'udpcat: an info line',
      'udpcat: \x1b[35mwarning:\x1b[39m a warning',
      'udpcat: \x1b[31man error\x1b[39m',
    ]);
  });
});

describe('a JSON log', () => {
  const parsed = async (say: (log: Log) => void | Promise<void>, options: Partial<LogOptions> = {}) =>
    (await lines(say, { format: 'json', ...options })).map((line) => JSON.parse(line) as Record<string, unknown>);

  test("has one of pino's lines for each, with level, time, message and fields", async () => {
    const all = await parsed(
      (log) => {
        sayAll(log);
        log.announce('listening', { address: '127.0.0.1:8000' });
      },
      { level: 'debug' },
    );
    expect(all.map(({ level, msg }) => ({ level, msg }))).toEqual([
      { level: 20, msg: 'a debug line' },
      { level: 30, msg: 'an info line' },
      { level: 40, msg: 'a warning' },
      { level: 50, msg: 'an error' },
      { level: 30, msg: 'listening' },
    ]);
    expect(all.at(-1)).toMatchObject({ name: 'udpcat', address: '127.0.0.1:8000' });
    expect(all.every(({ time }) => typeof time === 'number')).toBe(true);
  });

  test('means exactly what was said, without a character that acts on a terminal', async () => {
    const message = 'from \x1b[2J\n\u202e\x9b\u2028é';
    const [line = ''] = await lines((log) => log.error(message, { peer: message }), { format: 'json' });
    expect(line).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e\u2028]/); // eslint-disable-line no-control-regex
    expect(JSON.parse(line)).toMatchObject({ msg: message, peer: message });
  });

  test('has no colour', async () => {
    expect((await lines(sayAll, { format: 'json', colored: true })).join('')).not.toContain('\\u001b');
  });
});

describe('the level', () => {
  test.each(LOG_LEVELS)('%s lets lines of its own and above through, and no others', async (level) => {
    const said = ['udpcat: a debug line', 'udpcat: an info line', 'udpcat: warning: a warning', 'udpcat: an error'];
    expect(await lines(sayAll, { level })).toEqual(said.slice(LOG_LEVELS.indexOf(level)));
  });

  test.each(LOG_LEVELS)('%s is known to who asks', (level) => {
    const log = createLog(() => new PassThrough(), { level, format: 'pretty', colored: false });
    expect(LOG_LEVELS.filter((asked) => log.writes(asked))).toEqual(LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)));
  });

  test('does not hold back an announcement', async () => {
    expect(await lines((log) => log.announce('listening on 127.0.0.1:1'), { level: 'error' })).toEqual([
      'udpcat: listening on 127.0.0.1:1',
    ]);
  });
});

test('lines keep their order, before pino is loaded and after', async () => {
  const said = await lines(async (log) => {
    log.info('1');
    log.announce('2');
    log.error('3');
    await log.flush();
    log.warn('4');
    log.info('5');
  });
  expect(said.map((line) => line.at(-1))).toEqual(['1', '2', '3', '4', '5']);
});

test('flush waits until every line was handed over, and for nothing if there was none', async () => {
  const stream = new PassThrough();
  const log = createLog(() => stream, { level: 'info', format: 'pretty', colored: false });
  await log.flush();
  log.info('said');
  expect(stream.readableLength).toBe(0);
  await log.flush();
  expect(String(stream.read())).toBe('udpcat: said\n');
});

test('the stream is opened with the first line that is written', async () => {
  let opened = 0;
  const open = (): Writable => {
    opened += 1;
    return new PassThrough();
  };
  const log = createLog(open, { level: 'info', format: 'pretty', colored: false });
  log.debug('not written');
  await log.flush();
  expect(opened).toBe(0);
  log.info('written');
  log.info('written as well');
  await log.flush();
  expect(opened).toBe(1);
});

test('pino is loaded with the first line that is written, and chalk only for colour', async () => {
  const bundled = await build({
    entryPoints: [fileURLToPath(new URL('../../src/output/log.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['pino', 'chalk'],
    // Turns import() into require(), which the test can watch.
    supported: { 'dynamic-import': false },
    write: false,
  });
  const program = `
    const Module = require('node:module');
    const loaded = [];
    const load = Module._load;
    Module._load = (name, ...rest) => { if (/^(pino|chalk)$/.test(name)) loaded.push(name); return load(name, ...rest); };
    ${bundled.outputFiles[0]!.text}
    (async () => {
      const log = module.exports.createLog(() => process.stderr, { level: 'error', format: 'pretty', colored: false });
      log.info('not written');
      await log.flush();
      const before = [...loaded];
      log.error('written');
      await log.flush();
      console.log(JSON.stringify([before, loaded]));
    })();
  `;
  const said = execFileSync(process.execPath, ['-e', program], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(JSON.parse(said.toString())).toEqual([[], ['pino']]);
});

test('a log whose reader is gone loses its lines, and nothing else happens', async () => {
  const stream = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('EPIPE'), { code: 'EPIPE' })),
  });
  const log = createLog(() => stream, { level: 'info', format: 'pretty', colored: false });
  const closed = new Promise((resolve) => stream.on('close', resolve));
  log.info('lost');
  await log.flush();
  await closed;
  log.error('lost as well');
  await expect(log.flush()).resolves.toBeUndefined();
});

test('a log that nobody reads does not fill the memory, keeps its errors, and says what it left out', async () => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stream = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [reader] = (await once(server, 'connection')) as [Socket];
  const log = createLog(() => stream, { level: 'info', format: 'pretty', colored: false });
  const long = 'x'.repeat(10_000);
  log.info('first');
  await log.flush();
  for (let count = 0; count < 1000; count += 1) log.warn(long);
  expect(stream.writableLength).toBeLessThan(1_100_000);
  log.error('the error');
  log.announce('the summary');
  stream.end();
  const said = (await text(reader)).trimEnd().split('\n');
  const warnings = said.filter((line) => line.endsWith(long)).length;
  expect(said.slice(-3)).toEqual([
    `udpcat: warning: ${1000 - warnings} lines were left out here, because the lines before them were not read`,
    'udpcat: the error',
    'udpcat: the summary',
  ]);
  server.close();
});
