import type { PacePlan } from '../plan.js';
import { checkPayload } from './limit.js';
import { RoundsSource } from './rounds.js';
import type { Source } from './source.js';

/** Makes the source of messages on the command line. @throws {UsageError} for a message that is too large for a datagram */
export function argumentsSource(payloads: readonly Uint8Array[], plan: PacePlan, limitBytes: number): Source {
  for (const payload of payloads) checkPayload('a message', payload, limitBytes);
  return RoundsSource.of(payloads, plan);
}
