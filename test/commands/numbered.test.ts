import { describe, expect, test } from '@jest/globals';
import { readHeader } from '../../src/input/numbered-header.js';
import { generatePayload } from '../../src/input/payload.js';
import { runInProcess } from '../support/in-process.js';
import { echoServer, silentServer } from '../support/sockets.js';

const MANY = ['--size', '20', '-c', '3', '--rate', 'max'];

describe('the payloads of --size', () => {
  test('are numbered with --numbered, also if no reply is awaited', async () => {
    await using server = await silentServer();
    const { ending, stderr } = await runInProcess(['send', server.address, ...MANY, '--numbered']);
    expect([ending, stderr]).toEqual([0, '']);
    const headers = (await server.collect(3)).map(({ data }) => readHeader(data));
    expect(headers.map((header) => header?.sequence)).toEqual([0, 1, 2]);
    expect(headers.every((header) => header?.intact)).toBe(true);
    expect(new Set(headers.map((header) => header?.run)).size).toBe(1);
  });

  test('are all equal with --no-numbered, and replies are then matched by order', async () => {
    await using server = await echoServer();
    const { ending, stdout } = await runInProcess([
      ...['send', server.address, ...MANY, '--no-numbered'],
      ...['-w', '10m', '-o', 'json'],
    ]);
    expect(ending).toBe(0);
    expect(server.received.map(({ data }) => data)).toEqual(Array(3).fill(Buffer.from(generatePayload(20))));
    expect(stdout).toContain('"matchedBy":"order"');
  });

  test.each([
    [[], false],
    [['-w', '10m'], true],
  ])('are numbered by default only if replies are awaited: %j', async (args, isNumbered) => {
    await using server = await echoServer();
    await runInProcess(['send', server.address, ...MANY, ...args, '-o', 'none']);
    const all = await server.collect(3);
    expect(all.map(({ data }) => readHeader(data)?.intact)).toEqual(Array(3).fill(isNumbered));
  });

  test.each([
    [['--size', '15', '--numbered'], "option '--numbered' needs 16 bytes for number and check, and --size gives 15"],
    [['text', '--numbered'], "option '--numbered' is about the payloads of --size: add --size"],
    [['--no-numbered', '--probe', 'ntp'], "option '--no-numbered' is about the payloads of --size: add --size"],
  ])('cannot be numbered with %j', async (args, message) => {
    await using server = await silentServer();
    const { ending, stderr } = await runInProcess(['send', server.address, ...args]);
    expect([ending, stderr]).toEqual([2, `udpcat: ${message}\n`]);
    expect(server.received).toEqual([]);
  });
});
