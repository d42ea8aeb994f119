import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { testInNamespaces } from '../support/namespaces.js';
import { testWith } from '../support/peers.js';
import { readRecording, temporaryRecordings, textOf } from '../support/recordings.js';
import { silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { commandLine, quote, shell, start as startProcess } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

const recordings = temporaryRecordings();
const fileFor = recordings.path.bind(recordings);

/** Reads the payloads of a recording. */
async function read(path: string): Promise<string[]> {
  return (await readRecording(path)).map(textOf);
}

/** Runs `send --record` with these messages, to a socket that reads nothing. */
async function record(file: string, messages: readonly string[], ...options: readonly string[]) {
  await using sink = await silentServer();
  return await udpcat(['send', sink.address, ...messages, '--record', file, ...options]);
}

describe.each(['pcap', 'jsonl'] as const)('--record to a file that is there, as %s', (format) => {
  test.each(ENGINE_NAMES)('continues it, by the %s engine', async (engine) => {
    const file = fileFor(format);
    expect(await record(file, ['one', 'two'], '--engine', engine)).toMatchObject({ status: 0, stderr: '' });
    expect(await record(file, ['three'], '--engine', engine)).toMatchObject({ status: 0, stderr: '' });
    expect(await read(file)).toEqual(['one', 'two', 'three']);
  });

  test('removes a record that was cut off, and says so before it listens', async () => {
    const file = fileFor(format);
    await record(file, ['one', 'two']);
    const { size } = statSync(file);
    truncateSync(file, size - 4);
    await using server = start(['echo', '127.0.0.1:0', '--record', file, '-c', '1']);
    await server.until(/listening/, 'stderr');
    expect(await read(file)).toEqual(['one']);
    const removed = size - 4 - statSync(file).size;
    const address = await server.listening();
    await udpcat(['send', address, 'ping', '-n', '1']);
    const { stderr } = await server.outcome;
    expect(stderr.split('\n')[0]).toBe(
      `udpcat: warning: ${file} ended in the middle of a record: its ${removed} bytes were removed`,
    );
    expect(await read(file)).toEqual(['one', 'ping', 'ping']);
  });

  test.each(['serve', 'echo', 'send'])('refuses a foreign file, and binds nothing, by %s', async (command) => {
    const file = fileFor(format);
    writeFileSync(file, 'somebody wrote this\n');
    await using other = await silentServer();
    // The address is in use. A command that tried to bind it would fail with another error.
    const args = command === 'send' ? [command, other.address, 'x'] : [command, other.address];
    const { status, stderr } = await udpcat([...args, '--record', file]);
    expect(stderr).toBe(
      `udpcat: option '--record': ${file} is no recording of udpcat's own, and nothing is added to it: record to another file, or replace it with --record-replace\n`,
    );
    expect(status).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('somebody wrote this\n');
  });

  test('replaces a foreign file with --record-replace, unless the command cannot begin', async () => {
    const file = fileFor(format);
    writeFileSync(file, 'somebody wrote this\n');
    await using other = await silentServer();
    expect(await udpcat(['serve', other.address, '--record', file, '--record-replace'])).toMatchObject({ status: 1 });
    expect(readFileSync(file, 'utf8')).toBe('somebody wrote this\n');
    expect(await record(file, ['one'], '--record-replace')).toMatchObject({ status: 0 });
    expect(await read(file)).toEqual(['one']);
  });

  test('writes the header into an empty file', async () => {
    const file = fileFor(format);
    closeSync(openSync(file, 'w'));
    await record(file, ['one']);
    expect(await read(file)).toEqual(['one']);
  });

  test('follows a link to it', async () => {
    const [file, link] = [fileFor(format), fileFor(format)];
    symlinkSync(file, link);
    await record(link, ['one']);
    await record(link, ['two']);
    expect(await read(file)).toEqual(['one', 'two']);
  });

  testWithShell('keeps the records of commands whole that begin and write at the same time', async () => {
    const file = fileFor(format);
    const messages = Array.from({ length: 8 }, (_, nth) => `${nth}`);
    await using sink = await silentServer();
    const sender = commandLine([
      'send',
      sink.address,
      '--size',
      '3000',
      '-c',
      '200',
      '--rate',
      'max',
      '--record',
      file,
    ]);
    await using running = shell(`${messages.map(() => `${sender} &`).join(' ')} wait`);
    await running.outcome;
    expect(await read(file)).toHaveLength(8 * 200);
  });

  test('is whole however often it is killed by SIGKILL', async () => {
    const file = fileFor(format);
    let before = 0;
    for (let run = 0; run < 8; run += 1) {
      await using server = startProcess(['serve', '127.0.0.1:0', '-o', 'none', '--record', file]);
      const address = await server.listening();
      // The records of the killed runs are still there and whole.
      const found = await read(file);
      expect(found.length).toBeGreaterThanOrEqual(before);
      before = found.length;
      const { size } = statSync(file);
      const sender = startProcess(['send', address, '--size', '8000', '--duration', '4m', '--rate', 'max']);
      while (statSync(file).size < size + 200_000) await delay(1);
      server.kill('SIGKILL');
      await server.outcome;
      sender.kill('SIGTERM');
      await sender.outcome;
    }
    await record(file, ['last']);
    expect((await read(file)).at(-1)).toBe('last');
    expect(before).toBeGreaterThan(100);
  });
});

testWith('tshark', '--record that was cut off and continued is read by tshark to its end', async () => {
  const file = fileFor('pcap');
  await record(file, ['one', 'two']);
  truncateSync(file, statSync(file).size - 20);
  await record(file, ['three']);
  const { stdout, status } = await shell(`tshark -r ${quote(file)} -T fields -e udp.length 2>&1`).outcome;
  expect(stdout.toString().match(/\d+/g)).toEqual(['11', '13']);
  expect(status).toBe(0);
});

testInNamespaces(
  '--record without room for the header fails with a message, and works once there is room',
  async () => {
    const send = (text: string): string => commandLine(['send', '127.0.0.1:9', text, '--record', '/mnt/x.pcap']);
    const kept = fileFor('pcap');
    const script = `mount -t tmpfs -o size=16k none /mnt; ip link set lo up; head -c 16384 /dev/zero >/mnt/full; ${send('one')}; echo "$?"; rm /mnt/full; ${send('two')}; cp /mnt/x.pcap ${quote(kept)}`;
    await using running = shell(`exec unshare --net --mount bash -c ${quote(script)}`);
    const { stdout, stderr } = await running.outcome;
    expect(stderr).toContain('udpcat: cannot record to /mnt/x.pcap: the disk is full (ENOSPC)\n');
    expect(stdout.toString()).toBe('1\n');
    expect(await read(kept)).toEqual(['two']);
  },
);

testInNamespaces('--record of two commands to one file on a full disk leaves whole records', async () => {
  const kept = fileFor('pcap');
  const send = commandLine([
    ...['send', '127.0.0.1:9', '--size', '900', '-c', '500', '--rate', 'max', '--record', '/mnt/x.pcap'],
  ]);
  const other = send.replace("'900'", "'1300'").replace(' 900 ', ' 1300 ');
  const script = `mount -t tmpfs -o size=256k none /mnt; ip link set lo up; ${send} & ${other}; wait; cp /mnt/x.pcap ${quote(kept)}`;
  await using running = shell(`exec unshare --net --mount bash -c ${quote(script)}`);
  const { stderr } = await running.outcome;
  expect(stderr).toContain('the disk is full (ENOSPC)');
  expect((await read(kept)).length).toBeGreaterThan(100);
});

describe('--rotate-size, --rotate-time and --keep', () => {
  test.each(ENGINE_NAMES)(
    'record to a row of files, which the next run continues, by the %s engine',
    async (engine) => {
      const own = fileFor('d');
      mkdirSync(own);
      const options = ['--rotate-size', '120', '--keep', '3', '--engine', engine];
      expect(await record(join(own, 'day.pcap'), ['a', 'b', 'c', 'd', 'e'], ...options)).toMatchObject({ status: 0 });
      expect(await record(join(own, 'day.pcap'), ['f', 'g', 'h'], ...options)).toMatchObject({ status: 0 });
      const names = readdirSync(own).sort();
      for (const name of names) expect(name).toMatch(/^day\.\d{4}-\d\d-\d\dT\d{6}\.\d{6}Z\.pcap$/);
      const found: string[][] = [];
      for (const name of names) found.push(await read(join(own, name)));
      expect(found).toEqual([
        ['c', 'd'],
        ['e', 'f'],
        ['g', 'h'],
      ]);
    },
  );

  test('begin a new file by time, with requests and responses', async () => {
    const own = fileFor('d');
    mkdirSync(own);
    const args = ['--record', join(own, 'day.jsonl'), '--rotate-time', '1ms', '-c', '2'];
    await using server = start(['echo', '127.0.0.1:0', ...args]);
    const address = await server.listening();
    expect(readdirSync(own)).toHaveLength(1);
    await udpcat(['send', address, 'a', '-n', '1']);
    await udpcat(['send', address, 'b', '-n', '1']);
    await server.outcome;
    const names = readdirSync(own).sort();
    expect(names.length).toBeGreaterThan(2);
    const all: string[] = [];
    for (const name of names) all.push(...(await read(join(own, name))));
    expect(all).toEqual(['a', 'a', 'b', 'b']);
  });

  test('make files that --replay sends', async () => {
    const own = fileFor('d');
    mkdirSync(own);
    await record(join(own, 'day.pcap'), ['a', 'b'], '--rotate-size', '1');
    await using server = await silentServer();
    for (const name of readdirSync(own).sort()) {
      expect(await udpcat(['send', server.address, '--replay', join(own, name)])).toMatchObject({ status: 0 });
    }
    expect((await server.collect(2)).map(({ data }) => Buffer.from(data).toString())).toEqual(['a', 'b']);
  });

  test.each([
    [['--rotate-size', '1M'], "option '--rotate-size' is about a recording: add --record FILE"],
    [['--record-replace'], "option '--record-replace' is about a recording: add --record FILE"],
    [
      ['--record', 'x.pcap', '--keep', '2'],
      "option '--keep' is about a row of files: add --rotate-size or --rotate-time",
    ],
    [['--record', '-', '--rotate-time', '1h'], "option '--rotate-time' needs a file: --record - writes to stdout"],
    [['--record', '-', '--record-replace'], "option '--record-replace' needs a file: --record - writes to stdout"],
    [
      ['--record', 'x.pcap', '--rotate-size', '1M', '--record-replace'],
      "option '--record-replace' is about one file: leave it out, or --rotate-size",
    ],
    [
      ['--record', 'x.pcap', '--rotate-size', '0'],
      'A file size is at least 1 byte, for example 64k, 100M, 2G, 64Ki or 2GiB.',
    ],
    [['--record', 'x.pcap', '--rotate-size', '1M', '--keep', '0'], 'A count is a whole number from 1.'],
  ])('are refused where they have no effect: %j', async (args, message) => {
    const { status, stderr } = await udpcat(['serve', '127.0.0.1:0', ...args]);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });
});
