import type { Engine, EngineName } from './engine.js';
import { DatagramError } from '../errors.js';
import { nodeEngine } from './node/node-engine.js';

/** All values of {@link EngineChoice}. */
export const ENGINES = ['auto', 'node', 'linux'] as const;

/** The engine to use. `auto` means `linux` if it is available, otherwise `node`. See `DatagramSocketOptions.engine`. */
export type EngineChoice = 'auto' | EngineName;

/** The engine that was chosen. */
export interface Chosen {
  readonly engine: Engine;
  /** Why `auto` did not choose the linux engine. */
  readonly unavailable?: DatagramError;
}

/**
 * Returns the engine to use. Loads the linux engine, unless the choice is `node`.
 *
 * @throws {DatagramError} `UNSUPPORTED` if the choice is `linux` and the engine is not available
 */
export async function chooseEngine(choice: EngineChoice): Promise<Chosen> {
  if (choice === 'node') return { engine: nodeEngine };
  const { loadLinuxEngine } = await import('./linux/linux-engine.js');
  try {
    return { engine: await loadLinuxEngine() };
  } catch (error) {
    if (choice === 'linux' || !(error instanceof DatagramError)) throw error;
    return { engine: nodeEngine, unavailable: error };
  }
}
