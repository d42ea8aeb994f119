// How packages are bundled: without parts that udpcat does not use.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const leftOut = join(root, 'scripts', 'left-out.cjs');

/** The failsafe schema of yaml is the only one that src/cli/yaml-file.ts uses. */
const FAILSAFE_TAGS = `
  import { map } from './common/map.js';
  import { seq } from './common/seq.js';
  import { string } from './common/string.js';
  export const coreKnownTags = {};
  export const getTags = () => [map, seq, string];`;

/** src/cli/yaml-file.ts only reads. The bundler names any function that is missing here. */
const NO_STRINGIFY = `
  const leftOut = () => { throw new Error('the build has left out the writing of YAML'); };
  export {
    leftOut as createStringifyContext,
    leftOut as stringifyCollection,
    leftOut as stringifyDocument,
    leftOut as stringifyPair,
    leftOut as stringifyString,
  };`;

const alias = {
  // The ES modules of yaml, of which esbuild leaves out more than of the others.
  yaml: join(root, 'node_modules/yaml/browser/index.js'),
  // pino writes to files or in another thread, hides members and describes errors and HTTP requests, if it is asked to.
  // udpcat never asks.
  'thread-stream': leftOut,
  'sonic-boom': leftOut,
  'on-exit-leak-free': leftOut,
  '@pinojs/redact': leftOut,
  'pino-std-serializers': leftOut,
  'prom-client': join(root, 'scripts/prom-client.cjs'),
  '@opentelemetry/api': join(root, 'scripts/no-tracing.cjs'),
};

const withoutUnused = {
  name: 'without-unused',
  setup(build) {
    build.onLoad({ filter: /[\\/]yaml[\\/]browser[\\/]dist[\\/]schema[\\/]tags\.js$/ }, () => ({
      contents: FAILSAFE_TAGS,
    }));
    build.onLoad({ filter: /[\\/]yaml[\\/]browser[\\/]dist[\\/]stringify[\\/]\w+\.js$/ }, () => ({
      contents: NO_STRINGIFY,
    }));
    build.onLoad({ filter: /[\\/]pino[\\/]lib[\\/](transport|multistream)\.js$/ }, () => ({
      contents: readFileSync(leftOut, 'utf8'),
    }));
  },
};

/** The settings of esbuild for files that hold packages. */
export const ofPackages = { alias, plugins: [withoutUnused] };
