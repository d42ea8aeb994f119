import type { Engine, EngineName } from './engine.js';
import { DatagramError } from '../errors.js';
import { nodeEngine } from './node/node-engine.js';

/** What can be chosen. */
export const ENGINES = ['auto', 'node', 'linux'] as const;

/** Which engine to use; `auto` is `linux` where it can run, and else `node`. */
export type EngineChoice = 'auto' | EngineName;

/** An engine, and why it is not the linux engine, if that was tried. */
export interface Chosen {
  readonly engine: Engine;
  readonly unavailable?: DatagramError;
}

/**
 * The engine chosen. The linux engine is loaded only now, and only if it may be used.
 *
 * @throws {DatagramError} `UNSUPPORTED` if it is to be `linux`, and cannot
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
