/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** Set by scripts/coverage.mjs: the modules under src then count the branches they take. */
const counting = process.env.UDPCAT_COVERAGE !== undefined;

const config: Config = {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/test/support/own-cache.ts',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/coverage'],
  extensionsToTreatAsEsm: ['.ts'],
  // Sources name the files that will run ('./x.js'); here the TypeScript itself runs.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    ...(counting ? { '/src/.*\\.ts$': '<rootDir>/scripts/coverage-transformer.mjs' } : {}),
    '\\.ts$': ['ts-jest', { useESM: true }],
  },
  // Only what hangs is ended, and a program that a test started before the test: test/support/limits.ts.
  testTimeout: 300_000,
  // Freeing the memory of many tests takes a worker longer than jest's half second where others work as well.
  workerGracefulExitTimeout: 60_000,
  // Tests wait for the programs that they start: twice as many workers as the two cores of a small machine.
  maxWorkers: 4,
  // What the modules of a file take stays in memory: a worker that has so much heap after one is replaced.
  workerIdleMemoryLimit: '250MB',
  // Of those that mostly wait.
  maxConcurrency: 10,
  reporters: [
    'default',
    ...(counting ? ['<rootDir>/scripts/coverage-reporter.mjs'] : []),
    '<rootDir>/test/support/closing-line-reporter.js',
  ],
};

export default config;
