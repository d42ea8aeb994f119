import { ValueError } from '../net/errors.js';

const BYTES_OF_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  k: 1000,
  M: 1_000_000,
  Ki: 1024,
  KiB: 1024,
  Mi: 1_048_576,
  MiB: 1_048_576,
};

/**
 * Reads a size of at least 1: `1400`, `64k`, `1M` (units of 1000), `64Ki`, `64KiB`, `1Mi` or `1MiB` (units of 1024).
 * Returns bytes.
 *
 * @throws {ValueError}
 */
export function parseSize(text: string): number {
  const bytes = readSize(text);
  if (bytes === undefined || bytes < 1) {
    throw new ValueError('A size is at least 1 byte, for example 1400, 64k, 1M, 64Ki or 1MiB.');
  }
  return bytes;
}

/**
 * Reads the size of a file: like {@link parseSize}, but also `2G`, `2Gi` and `2GiB`. Returns bytes.
 *
 * @throws {ValueError}
 */
export function parseFileSize(text: string): number {
  const [, number, unit = ''] = /^(\d+)(G|GiB?)$/.exec(text) ?? [];
  const bytes = number === undefined ? readSize(text) : Number(number) * (unit === 'G' ? 1e9 : 1024 ** 3);
  if (bytes === undefined || bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw new ValueError('A file size is at least 1 byte, for example 64k, 100M, 2G, 64Ki or 2GiB.');
  }
  return bytes;
}

/** Reads a size that may be 0, otherwise like {@link parseSize}. Returns bytes. @throws {ValueError} */
export function parseSizeOrZero(text: string): number {
  const bytes = readSize(text);
  if (bytes === undefined)
    throw new ValueError('A size is a number of bytes, for example 0, 1400, 64k, 1M, 64Ki or 1MiB.');
  return bytes;
}

/** Reads a size like {@link parseSizeOrZero}, but returns undefined for other text. */
export function readSize(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+)(k|M|Ki|KiB|Mi|MiB)?$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  const bytes = Number(number) * (BYTES_OF_UNIT[unit] ?? NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
