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
 * Looks the target up. Of several addresses it is the first one that a session can be opened to.
 *
 * @throws {DatagramError} if the name is not found, and for a source address that cannot be bound
 */
export async function findTarget(
  { target, source, socket, sessionSocket }: TargetSettings,
  context: Context,
  signal: AbortSignal,
): Promise<Endpoint> {
  const family = target.host.kind === 'literal' ? undefined : socket.family;
  const found = await resolveDestination(target, family, signal, lookupInChild(context, signal));
  const [first, ...others] = found;
  if (others.length === 0 && source === undefined) return first;
  for (const candidate of found) {
    try {
      const { broadcast } = sessionSocket;
      const client = await openUdpConnection(candidate, {
        broadcast,
        ...(source && { localAddress: { address: source, port: 0 } }),
      });
      client.close();
      await client.waitClosed();
      return candidate;
    } catch (error) {
      if (candidate === found.at(-1)) throw error;
    }
  }
  return first;
}

/** Looks the target up again and again. */
export class TargetWatch {
  readonly #alarm: Alarm;
  readonly #ended = new AbortController();

  /** @param current undefined if it is not known yet. @param onChange called with a new address */
  constructor(
    settings: TargetSettings,
    context: Context,
    current: Endpoint | undefined,
    everyMs: number,
    onChange: (target: Endpoint) => void,
  ) {
    let [known, isLooking] = [current, false];
    this.#alarm = new Alarm(() => {
      this.#alarm.set(everyMs);
      if (isLooking) return;
      isLooking = true;
      void findTarget(settings, context, this.#ended.signal)
        .then((found) => {
          if (this.#ended.signal.aborted || (known && sameEndpoint(found, known))) return;
          known = found;
          onChange(found);
        })
        .catch((error: unknown) => {
          if (this.#ended.signal.aborted) return;
          if (!(error instanceof DatagramError)) throw error;
          // That the target is not found yet was told.
          if (known === undefined) return;
          const what = `${formatAddress(settings.target)} stays ${formatEndpoint(known)}`;
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
