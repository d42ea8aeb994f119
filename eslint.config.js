import { defineConfig, globalIgnores } from 'eslint/config';
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const oneSeed = 'test/support/property.ts has fc with the seed of all tests, and holds() with the number of runs.';
const noProcess = 'Only bin/ touches the process: take what you need from the context.';

export default defineConfig(
  globalIgnores(['dist', 'dist.*', 'coverage']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // A number looks the same in every message. An object does not.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => emitter.close()` is a good callback, without braces.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `while (true)` is a plain loop.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // An interface may demand a parameter that the function does not use. Its name begins with _ then.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', { name: 'process', message: noProcess }],
      'no-restricted-properties': ['error', { object: 'globalThis', property: 'process', message: noProcess }],
      'no-restricted-imports': [
        'error',
        {
          paths: [
            { name: 'node:process', message: noProcess },
            { name: 'process', message: noProcess },
          ],
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // A test knows the content of its fixtures. If it is wrong, the test fails.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Test doubles of asynchronous interfaces often await nothing.
      '@typescript-eslint/require-await': 'off',
      'no-restricted-imports': ['error', { name: 'fast-check', message: oneSeed }],
      'no-restricted-properties': ['error', { object: 'fc', property: 'assert', message: oneSeed }],
    },
  },
  {
    files: ['test/support/property.ts'],
    rules: { 'no-restricted-imports': 'off', 'no-restricted-properties': 'off' },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    languageOptions: {
      globals: {
        process: 'readonly',
        require: 'readonly',
        __dirname: 'readonly',
        __filename: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
      },
    },
  },
);
