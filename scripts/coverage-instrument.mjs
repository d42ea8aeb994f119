// Adds branch counters to TypeScript as it stands, so that the in-process and the bundled sources count alike.
import { createInstrumenter } from 'istanbul-lib-instrument';

/** Returns the TypeScript with counters, and the map from counters to places in the source. */
export function instrument(code, path) {
  const instrumenter = createInstrumenter({
    esModules: true,
    compact: false,
    // Types are stripped after the counters are in: places in the source are then exact without source maps.
    parserPlugins: ['typescript', 'explicitResourceManagement', 'importAttributes'],
    coverageGlobalScopeFunc: false,
    coverageGlobalScope: 'globalThis',
  });
  return { code: instrumenter.instrumentSync(code, path), map: instrumenter.lastFileCoverage() };
}
