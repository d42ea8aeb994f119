import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { FileStream } from '../../src/output/file-stream.js';
import { testInNamespaces } from '../support/namespaces.js';
import { shell } from '../support/udpcat.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-file-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Opens a file for appending, and makes a stream on it. The file is closed at the end of the scope. */
function open(path: string) {
  const fd = openSync(path, 'a');
  const stream = new FileStream(fd);
  // Without a listener, a failed write would be an uncaught exception.
  stream.on('error', () => undefined);
  return { stream, [Symbol.dispose]: () => closeSync(fd) };
}

/** Writes a chunk. Resolves to the error of the write, or undefined. */
function write(stream: FileStream, chunk: Uint8Array): Promise<Error | undefined> {
  return new Promise((resolve) => stream.write(chunk, (error) => resolve(error ?? undefined)));
}

describe('a stream on a file', () => {
  test('appends every chunk, and says how many bytes the file took', async () => {
    const path = join(folder, 'appended');
    using first = open(path);
    expect(await write(first.stream, Buffer.from('one '))).toBeUndefined();
    using second = open(path);
    expect(await write(second.stream, Buffer.from('two'))).toBeUndefined();
    expect([first.stream.bytesTaken, second.stream.bytesTaken]).toEqual([4, 3]);
    expect(readFileSync(path, 'utf8')).toBe('one two');
  });

  test('that takes nothing is an error of the write, and of the stream', async () => {
    using full = open('/dev/full');
    expect(await write(full.stream, Buffer.alloc(100))).toMatchObject({ code: 'ENOSPC' });
    expect(full.stream.bytesTaken).toBe(0);
    expect(full.stream.errored).toMatchObject({ code: 'ENOSPC' });
  });

  testInNamespaces('on a disk that gets full fails, says how much the file took, and can be cut to that', async () => {
    await using disk = shell(
      'exec unshare --mount sh -c "mount -t tmpfs -o size=64k none /mnt && echo ready && exec cat"',
    );
    await disk.until('ready');
    const path = `/proc/${disk.pid}/root/mnt/out`;
    using file = open(path);
    expect(await write(file.stream, Buffer.alloc(60_000, 'a'))).toBeUndefined();
    expect(await write(file.stream, Buffer.alloc(60_000, 'b'))).toMatchObject({ code: 'ENOSPC' });
    expect(file.stream.bytesTaken).toBe(65_536);
    expect(statSync(path).size).toBe(65_536);
    file.stream.cutTo(60_000);
    expect(readFileSync(path).equals(Buffer.alloc(60_000, 'a'))).toBe(true);
  });
});
