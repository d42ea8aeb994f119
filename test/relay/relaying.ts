/** Starts relays in the process of the test, with real sockets. */
import {
  parseAddress,
  type DatagramClient,
  type DatagramError,
  type DatagramServer,
  type EngineName,
  type Endpoint,
} from '../../src/net/index.js';
import type { RelaySettings } from '../../src/relay/plan.js';
import { Relay } from '../../src/relay/relay.js';
import type { RelayEvents, Viewer, Warning } from '../../src/relay/relay-events.js';
import type { Session } from '../../src/relay/session.js';

/** What happened at a relay. */
export interface Happened {
  readonly opened: Session[];
  readonly ended: Session[];
  readonly rebound: Session[];
  readonly refused: { readonly session: Session; readonly error: DatagramError }[];
  readonly openFailed: DatagramError[];
  readonly retargeted: Endpoint[];
  readonly clientErrors: DatagramError[];
  readonly warned: Warning[];
  readonly failed: unknown[];
  dropped: number;
  counted: boolean;
}

export interface RunningRelay {
  readonly relay: Relay;
  readonly happened: Happened;
  /** Resolves once the condition holds. It is checked after each event of the relay, and in each round of the event loop. */
  until(condition: () => boolean): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Resolves once the condition holds. It is checked in each round of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export async function startRelay(
  engine: EngineName,
  local: string,
  target: Endpoint,
  options: Partial<RelaySettings> & { readonly viewer?: Viewer; readonly max?: number } = {},
): Promise<RunningRelay> {
  const happened: Happened = {
    opened: [],
    ended: [],
    rebound: [],
    refused: [],
    openFailed: [],
    retargeted: [],
    clientErrors: [],
    warned: [],
    failed: [],
    dropped: 0,
    counted: false,
  };
  let numbers = 0;
  const { viewer, max = 1000, socket, ...settings } = options;
  const events: RelayEvents = {
    sessionOpened: (session) => happened.opened.push(session),
    sessionEnded: (session) => happened.ended.push(session),
    sessionRebound: (session) => happened.rebound.push(session),
    openFailed: (_, error) => happened.openFailed.push(error),
    refused: (session, error) => happened.refused.push({ session, error }),
    retargeted: (address) => happened.retargeted.push(address),
    clientError: (error) => happened.clientErrors.push(error),
    receiveFailed: () => undefined,
    dropped: (count) => {
      happened.dropped += count;
    },
    warned: (warning) => happened.warned.push(warning),
    arrived: () => undefined,
    counted: () => {
      happened.counted = true;
    },
    failed: (error) => happened.failed.push(error),
  };
  const all: RelaySettings = {
    listen: parseAddress(local),
    target: { host: { kind: 'literal', address: target.address }, port: target.port },
    socket: { engine, ...socket },
    sessionSocket: {},
    source: undefined,
    sessionTimeout: 600_000,
    responses: undefined,
    maxSessions: undefined,
    rebind: undefined,
    anyPort: undefined,
    allow: undefined,
    deny: undefined,
    rateLimit: undefined,
    amplify: undefined,
    faults: { up: {}, down: {} },
    seed: 1,
    count: undefined,
    ...settings,
  };
  const relay = await Relay.start(all, [target], { max, nextNumber: () => ++numbers }, events);
  relay.begin(viewer);
  return { relay, happened, until, [Symbol.asyncDispose]: () => relay.close('end') };
}

/** Sends payloads and reads as many replies. Returns the replies as text. */
export async function exchange(client: DatagramClient, payloads: readonly string[]): Promise<string[]> {
  const replies: string[] = [];
  for (const payload of payloads) {
    await client.send(payload);
    replies.push(Buffer.from(await client.recv()).toString());
  }
  return replies;
}

/** Asserts the law of the counts: received + duplicates = sent + lost + not sent + waiting. */
export function unaccounted({ lanes }: Relay): readonly [up: number, down: number] {
  return [lanes.up.counts.waiting, lanes.down.counts.waiting];
}

/** Sends every datagram back, with a text before its payload, until the server is closed. */
export function echo(server: DatagramServer, before = ''): void {
  const echoing = async (): Promise<void> => {
    for await (const batch of server.batches()) {
      await server.sendBatch(batch.map((each) => ({ ...each, data: Buffer.concat([Buffer.from(before), each.data]) })));
    }
  };
  // It ends when the server is closed.
  echoing().catch(() => undefined);
}
