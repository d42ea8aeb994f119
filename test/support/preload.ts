/**
 * Loads all modules that the sources import when they run. jest cannot load the same module for two `import()` at the same
 * time: on Node 20 one of them fails with "request for … is not in cache". So commands that run at the same time need this.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../../src', import.meta.url));

let loading: Promise<void> | undefined;

/** Loads them once in each test file, one after the other. */
export function preload(): Promise<void> {
  loading ??= loadAll();
  return loading;
}

async function loadAll(): Promise<void> {
  for (const name of readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const path = join(SOURCES, name);
    for (const [, specifier = ''] of readFileSync(path, 'utf8').matchAll(/\bimport\('([^']+)'\)/g)) {
      if (specifier.startsWith('@koromix/')) continue;
      await import(specifier.startsWith('.') ? join(dirname(path), specifier.replace(/\.js$/, '.ts')) : specifier);
    }
  }
}
