/** The tests of src/net run for each engine; where one cannot run, they are skipped, and their name says why. */
import { describe, test } from '@jest/globals';
import { chooseEngine } from '../../src/net/engines/choice.js';
import {
  type AddressLike,
  type ClientOptions,
  type DatagramClient,
  type DatagramServer,
  type EngineName,
  openUdpConnection,
  type ServerOptions,
  startUdpServer,
} from '../../src/net/index.js';

/** What the package exports, by the engine at hand. */
export interface NetOfEngine {
  readonly engine: EngineName;
  readonly startUdpServer: (address: AddressLike, options?: ServerOptions) => Promise<DatagramServer>;
  readonly openUdpConnection: (address: AddressLike, options?: ClientOptions) => Promise<DatagramClient>;
}

const { unavailable } = await chooseEngine('auto');

/** Engines that can run here. */
export const ENGINE_NAMES: readonly EngineName[] = unavailable === undefined ? ['node', 'linux'] : ['node'];

/** `test`, for one that needs the linux engine. */
export function testWithLinuxEngine(name: string, run: () => Promise<void>): void {
  if (unavailable === undefined) test(name, run);
  else test.skip(`${name} (skipped: ${unavailable.message})`, run);
}

function netOf(engine: EngineName): NetOfEngine {
  return {
    engine,
    startUdpServer: (address, options) => startUdpServer(address, { engine, ...options }),
    openUdpConnection: (address, options) => openUdpConnection(address, { engine, ...options }),
  };
}

/** `describe`, for what only the linux engine does. */
export function describeLinuxEngine(name: string, block: (net: NetOfEngine) => void): void {
  const run = (): void => {
    block(netOf('linux'));
  };
  if (unavailable === undefined) describe(name, run);
  else describe.skip(`${name} (skipped: ${unavailable.message})`, run);
}

/** Declares the same tests for each engine. */
export function describeEngines(block: (net: NetOfEngine) => void): void {
  describe('with the node engine', () => {
    block(netOf('node'));
  });
  describeLinuxEngine('with the linux engine', block);
}
