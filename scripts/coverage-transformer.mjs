// What jest runs the modules under src through while `npm run coverage` counts; see jest.config.ts.
import { transformSync } from 'esbuild';
import { instrument } from './coverage-instrument.mjs';

export default {
  process(code, path) {
    return transformSync(instrument(code, path).code, { loader: 'ts', format: 'esm', target: 'node20.19' });
  },
};
