import { expect, test } from '@jest/globals';
import { openProcessMetrics } from '../../src/http/process-metrics.js';

test('requests at the same time get the same metrics of the process', async () => {
  const read = await openProcessMetrics();
  const [one, other] = [read(), read()];
  expect(other).toBe(one);
  expect(await one).toMatch(/^process_cpu_seconds_total \d/m);
});
