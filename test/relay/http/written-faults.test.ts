/** The faults of a command line as toxics, and back. */
import { expect, test } from '@jest/globals';
import { FAULTS, type FaultName, type FaultSettings } from '../../../src/faults/table.js';
import type { Fault } from '../../../src/faults/fault.js';
import { createToxic } from '../../../src/relay/http/toxic.js';
import { toxicsOf } from '../../../src/relay/http/written-faults.js';

/** Values of each option. */
const VALUES: Readonly<Record<FaultName, readonly string[]>> = {
  delay: ['40ms', '1.5s'],
  jitter: ['5ms', '0.5ms:normal'],
  loss: ['5%', '0.1%', '7%'],
  burstLoss: ['1%:25%', '0.3%:7%:99.9%:10%'],
  lose: ['2', '1..3'],
  maxSize: ['1200', '64k'],
  bandwidth: ['56kbit', '1.5mbit', '1gbit'],
  lineQueue: ['100ms', '2s'],
  duplicate: ['5%'],
  reorder: ['100%'],
  corrupt: ['0%'],
  truncate: ['1%'],
  blackhole: ['2s..5s', '..1h', '0.5s..'],
};

const cases = Object.entries(VALUES).flatMap(([name, values]) => values.map((value) => [name as FaultName, value]));

test.each(cases as [FaultName, string][])('%s of %s is shown as a toxic that does the same', (name, value) => {
  const { read, isRepeatable } = FAULTS[name] as Fault<unknown>;
  const setting = isRepeatable === true ? [read(value)] : read(value);
  const settings = { [name]: setting } as FaultSettings;
  const [shown, ...others] = toxicsOf({ faults: { up: settings, down: {} }, rebind: undefined, seed: 1 });
  expect(others).toEqual([]);
  // A client that sends back what it was shown changes nothing.
  const sent = createToxic(JSON.parse(JSON.stringify(shown!.fields)) as never, 1);
  for (const { way, action } of [shown!, sent]) {
    expect(way).toBe('up');
    expect(action.faults.map((fault) => [fault.name, fault.setting])).toEqual([[name, setting]]);
  }
});

test('a delay and a jitter are one toxic, and a rebinding is one', () => {
  const faults = { up: {}, down: { delay: 20, jitter: { ms: 5, distribution: 'uniform' as const } } };
  const toxics = toxicsOf({ faults, rebind: 500, seed: 1 });
  expect(toxics.map(({ fields }) => fields)).toEqual([
    {
      attributes: { latency: 20, jitter: 5 },
      name: 'latency_downstream',
      type: 'latency',
      stream: 'downstream',
      toxicity: 1,
    },
    { attributes: { rebind: 500 }, name: 'rebind_downstream', type: 'rebind', stream: 'downstream', toxicity: 1 },
  ]);
  expect(toxics[0]!.action.faults.map(({ name }) => name)).toEqual(['delay', 'jitter']);
  expect(toxics[1]!.action.rebindMs).toBe(500);
});
