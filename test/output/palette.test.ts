import { describe, expect, test } from '@jest/globals';
import { createPalette, wantsColor } from '../../src/output/palette.js';

describe('whether to colour', () => {
  test.each([
    // The option decides before all others.
    [true, { NO_COLOR: '1', FORCE_COLOR: '0', TERM: 'dumb' }, false, true],
    [false, { FORCE_COLOR: '1' }, true, false],
    // Then NO_COLOR, if it is not empty (no-color.org).
    [undefined, { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    [undefined, { NO_COLOR: '0' }, true, false],
    [undefined, { NO_COLOR: '' }, true, true],
    // Then FORCE_COLOR.
    [undefined, { FORCE_COLOR: '1' }, false, true],
    [undefined, { FORCE_COLOR: '' }, false, true],
    [undefined, { FORCE_COLOR: '0' }, true, false],
    [undefined, { FORCE_COLOR: 'false' }, true, false],
    [undefined, { NO_COLOR: '', FORCE_COLOR: '3' }, false, true],
    // Then the terminal.
    [undefined, {}, true, true],
    [undefined, {}, false, false],
    [undefined, { TERM: 'xterm' }, true, true],
    [undefined, { TERM: 'dumb' }, true, false],
  ])('option %p, environment %p, terminal %p: %p', (option, env, terminal, colored) => {
    expect(wantsColor(option, env, terminal)).toBe(colored);
  });
});

test('a plain palette changes nothing, a coloured one only adds escapes', async () => {
  const plain = await createPalette(false);
  const colored = await createPalette(true);
  for (const style of ['dim', 'cyan', 'magenta', 'red'] as const) {
    expect(plain[style]('text')).toBe('text');
    expect(colored[style]('text')).toMatch(/^\x1b\[\d+mtext\x1b\[\d+m$/); // eslint-disable-line no-control-regex
  }
});
