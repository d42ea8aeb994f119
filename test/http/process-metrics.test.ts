import { expect, test } from '@jest/globals';
import { openProcessMetrics } from '../../src/http/process-metrics.js';

async function join(parts: Iterable<string | Promise<string>>): Promise<string> {
  return (await Promise.all([...parts])).join('');
}

test('requests at the same time get the same metrics of the process', async () => {
  const read = await openProcessMetrics();
  const [one, other] = [await join(read()), await join(read())];
  expect(other).toBe(one);
  expect(one).toMatch(/^process_cpu_seconds_total \d/m);
});
