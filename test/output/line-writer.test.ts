import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { LineWriter } from '../../src/output/line-writer.js';

/** A writer of lines to a stream, and what it called. */
function createWriter(stream: Writable) {
  let ended = 0;
  let written = 0;
  const writer = new LineWriter(stream, {
    onEnd: () => (ended += 1),
    beforeWrite: () => (written += 1),
    leftOutLine: (count) => `(${count} left out)\n`,
  });
  return { writer, ended: () => ended, written: () => written };
}

describe('a writer of lines', () => {
  test('writes them in order, and says so before each', async () => {
    const stream = new PassThrough();
    const { writer, written } = createWriter(stream);
    writer.write('a\n');
    writer.write('b\n');
    expect(written()).toBe(2);
    await writer.finish();
    stream.end();
    expect(await text(stream)).toBe('a\nb\n');
  });

  test('leaves out what comes while nobody reads, counts it, and tells it when somebody does', async () => {
    const stream = new PassThrough();
    const { writer } = createWriter(stream);
    const line = `${'x'.repeat(999)}\n`;
    for (let nth = 0; nth < 5000; nth += 1) writer.write(line);
    expect(stream.writableLength).toBeLessThan(1.2 * 1024 * 1024);
    expect(writer.leftOut).toBeGreaterThan(3000);
    writer.write('the summary\n', true);
    let read = '';
    for await (const chunk of stream) {
      read += String(chunk);
      if (read.endsWith('the summary\n')) break;
    }
    expect(read.split(line).length - 1).toBe(5000 - writer.leftOut);
    expect(read.endsWith(`(${writer.leftOut} left out)\nthe summary\n`)).toBe(true);
  });

  test('ends when its reader is gone, which is no failure', async () => {
    const stream = new PassThrough();
    const { writer, ended } = createWriter(stream);
    stream.destroy(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    await new Promise((resolve) => stream.once('close', resolve));
    writer.write('a\n');
    await writer.finish();
    expect([ended(), writer.failure]).toEqual([1, undefined]);
  });

  test('keeps why the stream took no more', async () => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const stream = new Writable({
      write: (_chunk, _encoding, done) => {
        done(full);
      },
    });
    const { writer, ended } = createWriter(stream);
    writer.write('a\n');
    await writer.finish();
    expect([ended(), writer.failure]).toEqual([1, full]);
  });

  test('waits for a reader until it is told not to', async () => {
    const stream = new Writable({ write: () => undefined });
    const { writer } = createWriter(stream);
    writer.write('a\n');
    const finishing = writer.finish();
    writer.abandon();
    await finishing;
  });
});
