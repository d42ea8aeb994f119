/**
 * Runs the tests of src/net with each engine. Tests of an engine that cannot run are skipped, and their name says why.
 */
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

/** The functions of the package, with one engine as the default. */
export interface NetOfEngine {
  readonly engine: EngineName;
  readonly startUdpServer: (address: AddressLike, options?: ServerOptions) => Promise<DatagramServer>;
  readonly openUdpConnection: (address: AddressLike, options?: ClientOptions) => Promise<DatagramClient>;
}

const { unavailable } = await chooseEngine('auto');

/** The engines that can run here. */
export const ENGINE_NAMES: readonly EngineName[] = unavailable === undefined ? ['node', 'linux'] : ['node'];

/** Declares a test that needs the linux engine. */
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

/** Declares a block of tests that need the linux engine. */
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
