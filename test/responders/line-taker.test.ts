import { describe, expect, test } from '@jest/globals';
import { LineTaker } from '../../src/responders/line-taker.js';
import { fc, holds } from '../support/property.js';

function take(chunks: readonly Uint8Array[]): string[] {
  const lines: string[] = [];
  const taker = new LineTaker((line) => lines.push(line));
  for (const chunk of chunks) taker.push(chunk);
  taker.end();
  return lines;
}

describe('the taker of lines', () => {
  test('takes the same lines, wherever the stream is cut', () => {
    const line = fc.stringMatching(/^[a-zé]{1,9}$/);
    holds(
      fc.property(fc.array(line, { maxLength: 20 }), fc.constantFrom('\n', '\r\n'), fc.nat(8), (lines, end, size) => {
        const stream = Buffer.from(lines.join(end));
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < stream.length; at += size + 1) chunks.push(stream.subarray(at, at + size + 1));
        expect(take(chunks)).toEqual(lines);
      }),
    );
  });

  test('leaves out what is beyond a thousand bytes of a line, and beyond a hundred lines', () => {
    expect(take([Buffer.alloc(700, 'x'), Buffer.alloc(700, 'x'), Buffer.from('\ny')])).toEqual([
      `${'x'.repeat(1000)} ...`,
      'y',
    ]);
    expect(take([Buffer.from('\n'.repeat(101))]).slice(-2)).toEqual(['', '(1 more line)']);
  });
});
