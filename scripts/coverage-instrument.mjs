// Adds branch counters to TypeScript sources. The tests and the bundled command run sources with the same counters.
import { createInstrumenter } from 'istanbul-lib-instrument';

/** Returns the TypeScript with counters, and the map from counters to places in the source. */
export function instrument(code, path) {
  const instrumenter = createInstrumenter({
    esModules: true,
    compact: false,
    // Types are removed later, so that the places in the source are exact without source maps.
    parserPlugins: ['typescript', 'explicitResourceManagement', 'importAttributes'],
    coverageGlobalScopeFunc: false,
    coverageGlobalScope: 'globalThis',
  });
  return { code: instrumenter.instrumentSync(code, path), map: instrumenter.lastFileCoverage() };
}
