// A jest transformer for `npm run coverage` (jest.config.ts): adds counters to the modules of src.
import { transformSync } from 'esbuild';
import { instrument } from './coverage-instrument.mjs';

export default {
  process(code, path) {
    return transformSync(instrument(code, path).code, { loader: 'ts', format: 'esm', target: 'node20.19' });
  },
};
