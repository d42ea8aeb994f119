import { formatAddress } from '../net/address/address.js';
import { resolveDestination } from '../net/address/resolve.js';
import { DatagramError, type Endpoint, formatEndpoint, openUdpConnection, sameEndpoint } from '../net/index.js';
import type { Context } from '../run/context.js';
import { lookupInChild } from '../run/name-lookup.js';
import { Alarm } from '../timing/alarm.js';
import type { RelaySettings } from './plan.js';

/** The settings that a look-up needs. */
export type TargetSettings = Pick<RelaySettings, 'target' | 'source' | 'socket' | 'sessionSocket'>;

/**
 * Looks the target up. Returns its addresses, from the first one on that a session can be opened to.
 *
 * @throws {DatagramError} if the name is not found, and for a source address that cannot be bound
 */
export async function findTargets(
  { target, source, socket, sessionSocket }: TargetSettings,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Endpoint[]> {
  const family = target.host.kind === 'literal' ? undefined : socket.family;
  const found = await resolveDestination(target, family, signal, lookupInChild(context, signal));
  if (found.length === 1 && source === undefined) return found;
  for (const [index, candidate] of found.entries()) {
    try {
      const { broadcast } = sessionSocket;
      const client = await openUdpConnection(candidate, {
        broadcast,
        ...(source && { localAddress: { address: source, port: 0 } }),
      });
      client.close();
      await client.waitClosed();
      return found.slice(index);
    } catch (error) {
      if (candidate === found.at(-1)) throw error;
    }
  }
  return found;
}

/** Looks the target up again and again. */
export class TargetWatch {
  readonly #alarm: Alarm;
  readonly #ended = new AbortController();

  /** @param current empty if they are not known yet. @param onChange called with new addresses */
  constructor(
    settings: TargetSettings,
    context: Context,
    current: readonly Endpoint[],
    everyMs: number,
    onChange: (targets: readonly Endpoint[]) => void,
  ) {
    let [known, isLooking] = [current, false];
    this.#alarm = new Alarm(() => {
      this.#alarm.set(everyMs);
      if (isLooking) return;
      isLooking = true;
      void findTargets(settings, context, this.#ended.signal)
        .then((found) => {
          if (this.#ended.signal.aborted || areSame(found, known)) return;
          known = found;
          onChange(found);
        })
        .catch((error: unknown) => {
          if (this.#ended.signal.aborted) return;
          if (!(error instanceof DatagramError)) throw error;
          // That the target is not found yet was told.
          const [first] = known;
          if (first === undefined) return;
          const what = `${formatAddress(settings.target)} stays ${formatEndpoint(first)}`;
          context.log.warn(`${what}: ${error.message}`, { code: error.code });
        })
        .finally(() => {
          isLooking = false;
        });
    });
    this.#alarm.set(everyMs);
  }

  stop(): void {
    this.#alarm.stop();
    this.#ended.abort();
  }
}

function areSame(some: readonly Endpoint[], others: readonly Endpoint[]): boolean {
  return some.length === others.length && some.every((one, index) => sameEndpoint(one, others[index] as Endpoint));
}
