/** The workflow for public CI. */
import { expect, test } from '@jest/globals';
import { accessSync, constants, readFileSync } from 'node:fs';
import { parse } from 'yaml';

interface Workflow {
  readonly jobs: {
    readonly test: {
      readonly strategy: { readonly matrix: { readonly os: readonly string[]; readonly node: readonly number[] } };
      readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
    };
  };
}

const file = (path: string): URL => new URL(`../${path}`, import.meta.url);
const { jobs } = parse(readFileSync(file('.github/workflows/ci.yml'), 'utf8')) as Workflow;

test('the workflow runs the checks of .ci/run on three systems, with each version of Node that is supported', () => {
  const { strategy, steps } = jobs.test;
  expect(strategy.matrix.os.map((name) => name.replace(/-latest$/, ''))).toEqual(['ubuntu', 'macos', 'windows']);
  expect(steps.at(-1)?.run).toBe('.ci/run');
  accessSync(file('.ci/run'), constants.X_OK);
  const script = readFileSync(file('scripts/test-versions.mjs'), 'utf8');
  const [, versions = ''] = /default (\d+(?:, \d+)* and \d+)/.exec(script) ?? [];
  expect(strategy.matrix.node.map(String)).toEqual(versions.split(/, | and /));
});
