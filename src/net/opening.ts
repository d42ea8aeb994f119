import { type Chosen, chooseEngine, type EngineChoice } from './engines/choice.js';
import type { Engine, EngineEvents, EngineSocket, OpenRequest } from './engines/engine.js';
import { nodeEngine } from './engines/node/node-engine.js';
import { openApart } from './engines/own-address.js';
import { DatagramError } from './errors.js';
import { refuseForeignOptions, supports } from './socket-options.js';

/** A socket, and the engine that opened it. */
export interface Opened {
  readonly chosen: Chosen;
  readonly socket: EngineSocket;
}

/**
 * Opens a socket. Under `auto`, the node engine opens it if the linux engine fails.
 *
 * @param engine the choice of the caller, or an engine
 * @param signal ends the opening before the system opens anything
 * @throws {DatagramError} `UNSUPPORTED`, and the errors of `Engine.open`. If both engines fail, the error of the node
 * engine.
 */
export async function openSocket(
  engine: EngineChoice | Engine,
  request: OpenRequest,
  events: EngineEvents,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const { fd, options } = request;
  if (fd !== undefined && engine === 'linux') {
    throw new DatagramError('UNSUPPORTED', 'the linux engine cannot adopt an inherited socket; the node engine can');
  }
  const choice = fd !== undefined && engine === 'auto' ? 'node' : engine;
  const chosen = typeof choice === 'string' ? await chooseEngine(choice) : { engine: choice };
  refuseForeignOptions(chosen.engine.name, options);
  signal?.throwIfAborted();
  try {
    return { chosen, socket: await openApart(chosen.engine, request, events) };
  } catch (error) {
    if (choice !== 'auto' || chosen.engine === nodeEngine || !nodeMayOpen(request, error)) throw error;
    const socket = await openApart(nodeEngine, request, events);
    const why = error instanceof Error ? error.message : String(error);
    const unavailable = new DatagramError('UNSUPPORTED', `the linux engine failed: ${why}`, { cause: error });
    return { chosen: { engine: nodeEngine, unavailable }, socket };
  }
}

/** Whether the node engine may open a socket that the linux engine could not open. */
function nodeMayOpen({ options }: OpenRequest, error: unknown): boolean {
  const isOfSystem = !(error instanceof DatagramError) || error.code === 'OPEN_FAILED';
  return isOfSystem && supports('node', options);
}
