import { expect, test } from '@jest/globals';
import { Recent } from '../../src/guard/recent.js';
import { fc, holds } from '../support/property.js';

test('a key that was used within the time is known, and one that was not for twice the time is new', () => {
  holds(
    fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(1500)), { maxLength: 40 }), (uses) => {
      const recent = new Recent<{ key: number }>(1000, 1000);
      const lastUse = new Map<number, { state: { key: number }; atMs: number }>();
      let nowMs = 0;
      for (const [key, laterMs] of uses) {
        nowMs += laterMs;
        const state = recent.use(String(key), nowMs, () => ({ key }));
        expect(state.key).toBe(key);
        const last = lastUse.get(key);
        if (last !== undefined && nowMs - last.atMs < 1000) expect(state).toBe(last.state);
        lastUse.set(key, { state, atMs: nowMs });
      }
    }),
  );
});

test('a key without use for a long time is forgotten once others are used', () => {
  const recent = new Recent<object>(1000, 1000);
  const first = recent.use('a', 0, () => ({}));
  recent.use('b', 1000, () => ({}));
  recent.use('b', 2000, () => ({}));
  expect(recent.use('a', 2000, () => ({}))).not.toBe(first);
});

test('there are never more entries than the maximum, and a key is known until half as many others were used', () => {
  holds(
    fc.property(fc.array(fc.nat(30), { minLength: 50, maxLength: 100 }), (uses) => {
      const recent = new Recent<object>(20, 1000);
      const states = new Map<number, object>();
      for (const [index, key] of uses.entries()) {
        const state = recent.use(String(key), 0, () => ({}));
        if (recent.size > 20) throw new Error(`${recent.size} entries`);
        const lastUse = index === 0 ? -1 : uses.lastIndexOf(key, index - 1);
        const others = new Set(uses.slice(lastUse + 1, index)).size;
        if (lastUse >= 0 && others < 10 && state !== states.get(key))
          throw new Error(`forgotten after ${others} others`);
        states.set(key, state);
      }
    }),
  );
});
