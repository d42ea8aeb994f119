import { describe, expect, test } from '@jest/globals';
import { DelayLine } from '../../src/answers/delay-line.js';
import type { Outgoing } from '../../src/net/index.js';

const answer = (text: string): Outgoing => ({ data: Buffer.from(text), remote: { address: '192.0.2.1', port: 1 } });
const textsOf = (answers: readonly Outgoing[]): string[] => answers.map(({ data }) => Buffer.from(data).toString());

describe('a delay line', () => {
  test('sends each in its time, those of one moment in their order, and is empty then', async () => {
    const sent: string[] = [];
    const line = new DelayLine((answers) => sent.push(...textsOf(answers)));
    for (const [text, delayMs] of [
      ['c', 40],
      ['a', 1],
      ['d', 40],
      ['b', 20],
    ] as const) {
      expect(line.add(answer(text), delayMs)).toBe(true);
    }
    await line.empty();
    expect(sent).toEqual(['a', 'b', 'c', 'd']);
  });

  test('gives up what is due too late, and is empty when the rest is sent', async () => {
    const sent: string[] = [];
    const line = new DelayLine((answers) => sent.push(...textsOf(answers)));
    line.add(answer('soon'), 10);
    line.add(answer('late'), 3_600_000);
    expect(line.cut(1000)).toBe(1);
    await line.empty();
    expect(sent).toEqual(['soon']);
    line.add(answer('never'), 3_600_000);
    const empty = line.empty();
    expect(line.cut(0)).toBe(1);
    await empty;
  });

  test('takes no more than 65,536 answers, nor 64 MiB', () => {
    const many = new DelayLine(() => undefined);
    for (let count = 0; count < 65_536; count += 1) many.add(answer(''), 3_600_000);
    expect(many.add(answer(''), 3_600_000)).toBe(false);
    many.cut(0);
    expect(many.add(answer(''), 3_600_000)).toBe(true);
    many.cut(0);
    const large = new DelayLine(() => undefined);
    const data = new Uint8Array(65_507);
    let count = 0;
    while (large.add({ ...answer(''), data }, 3_600_000)) count += 1;
    expect(count).toBe(Math.floor((64 * 1024 * 1024) / 65_507));
    large.cut(0);
  });
});
