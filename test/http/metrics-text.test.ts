import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import { formatHead, formatLabels, formatSample } from '../../src/http/metrics-text.js';
import { openProcessMetrics } from '../../src/http/process-metrics.js';
import { testWith } from '../support/peers.js';

const HOSTILE = 'a "b" \\c\nd {e="f"} #';

async function readProcess(): Promise<string> {
  const read = await openProcessMetrics();
  return (await Promise.all([...read()])).join('');
}

describe('the text of metrics', () => {
  test('escapes help and labels', () => {
    expect(formatHead({ name: 'a_total', type: 'counter', help: 'one\\two\nthree' })).toBe(
      '# HELP a_total one\\\\two\\nthree\n# TYPE a_total counter\n',
    );
    expect(formatLabels({ one: HOSTILE, two: '' })).toBe('one="a \\"b\\" \\\\c\\nd {e=\\"f\\"} #",two=""');
    expect(formatSample('a_total', '', 0.1)).toBe('a_total 0.1\n');
    expect(formatSample('a_total', formatLabels({ x: 'y' }), 1e21)).toBe('a_total{x="y"} 1e+21\n');
  });

  test('has the usual metrics of the process', async () => {
    const text = await readProcess();
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_seconds'])
      expect(text).toMatch(new RegExp(`^${name} [\\d.e-]+$`, 'm'));
  });

  testWith('promtool', 'is right for promtool', async () => {
    const head = formatHead({ name: 'udpcat_tries_total', type: 'counter', help: HOSTILE });
    const input = `${head}${formatSample('udpcat_tries_total', formatLabels({ x: HOSTILE }), 3)}${await readProcess()}`;
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    expect([stdout, stderr, status]).toEqual(['', '', 0]);
  });
});
