import { readdirSync } from 'node:fs';
import { expect } from '@jest/globals';
import { createFineTimers } from '../../../src/net/engines/linux/fine-timers.js';
import { loadSystemCalls } from '../../../src/net/engines/linux/system-calls.js';
import { Watches } from '../../../src/net/engines/linux/watches.js';
import { testWithLinuxEngine } from '../../support/engines.js';

testWithLinuxEngine(
  'a timer that the event loop cannot watch is not opened, and leaves no descriptor behind',
  async () => {
    const calls = await loadSystemCalls();
    const failing = (): never => {
      throw new Error('cannot watch');
    };
    const open = createFineTimers(calls, new Watches({ ...calls, watch: failing }));
    const before = readdirSync('/proc/self/fd').length;
    expect(open(() => undefined)).toBeUndefined();
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  },
);
