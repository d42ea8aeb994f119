import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generatePayload, readPayloadFile } from '../../src/input/payload.js';

describe('a payload from a file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'udpcat-payload-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  const written = async (bytes: Uint8Array): Promise<string> => {
    const path = join(folder, `${bytes.length}`);
    await writeFile(path, bytes);
    return path;
  };

  test.each([0, 1, 99, 100])('is its bytes: %i of at most 100', async (length) => {
    const bytes = Buffer.alloc(length, '\xff\0a\n', 'latin1');
    expect(Buffer.from(await readPayloadFile(await written(bytes), 100))).toEqual(bytes);
  });

  test('shows that the file is longer than the limit without reading it all', async () => {
    expect(await readPayloadFile(await written(Buffer.alloc(5000)), 100)).toHaveLength(101);
    expect(await readPayloadFile('/dev/zero', 100)).toHaveLength(101);
  });

  test('rejects with the error of the system where there is none', async () => {
    await expect(readPayloadFile(join(folder, 'nothing'), 100)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(readPayloadFile(folder, 100)).rejects.toMatchObject({ code: 'EISDIR' });
  });
});

test('a generated payload has the size asked and is printable ASCII over and over', () => {
  expect(generatePayload(0)).toHaveLength(0);
  const payload = Buffer.from(generatePayload(65_507));
  expect(payload).toHaveLength(65_507);
  expect(payload.toString('latin1')).toMatch(/^[!-~]+$/);
  expect(payload.subarray(0, 96).toString()).toMatch(/^!"#\$%&'.*\}~!"$/);
});
