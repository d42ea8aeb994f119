/** @jest-config-loader esbuild-register */
import type { Config } from 'jest';

/** Whether the modules of src count their branches. scripts/coverage.mjs sets the variable. */
const counting = process.env.UDPCAT_COVERAGE !== undefined;

const config: Config = {
  testEnvironment: 'node',
  globalSetup: '<rootDir>/test/support/own-cache.ts',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/coverage'],
  extensionsToTreatAsEsm: ['.ts'],
  // Sources import './x.js', the file of the build. In tests that is './x.ts'. Packages have './x.js' itself.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': ['$1.ts', '$1'] },
  transform: {
    ...(counting ? { '/src/.*\\.ts$': '<rootDir>/scripts/coverage-transformer.mjs' } : {}),
    '\\.ts$': ['ts-jest', { useESM: true }],
  },
  // The limit is only for tests that hang. Programs that a test starts have a shorter limit: test/support/limits.ts.
  testTimeout: 300_000,
  // On a busy machine a worker needs more than jest's half second to free its memory.
  workerGracefulExitTimeout: 60_000,
  // Tests mostly wait for the programs that they start. So 4 workers are right for a machine with 2 cores.
  maxWorkers: 4,
  // The modules of a test file stay in memory. A worker with more heap than this is replaced after a file.
  workerIdleMemoryLimit: '500MB',
  // For tests that mostly wait.
  maxConcurrency: 10,
  reporters: [
    'default',
    ...(counting ? ['<rootDir>/scripts/coverage-reporter.mjs'] : []),
    '<rootDir>/test/support/closing-line-reporter.js',
  ],
};

export default config;
