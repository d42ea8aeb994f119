import type { NumberedPayloads } from '../../input/numbered-payload.js';
import { generatePayload } from '../../input/payload.js';
import type { MessageSource, PacePlan } from '../plan.js';
import { checkLimit } from './limit.js';
import { RoundsSource } from './rounds.js';
import type { Source } from './source.js';

/** Generated payloads that carry numbers: by them echoes are matched, and a receiver sees what was lost. */
class NumberedSource extends RoundsSource {
  readonly numbered: NumberedPayloads;

  constructor(messages: NumberedPayloads, plan: PacePlan) {
    super(messages, plan);
    this.numbered = messages;
  }
}

/**
 * Makes the source of generated payloads of one size. If they are not numbered, all payloads are the same, which is the fastest
 * way to send.
 *
 * @throws {UsageError} for a size that is too large for a datagram
 */
export async function generatedSource(
  { bytes, numbered }: Extract<MessageSource, { readonly kind: 'generated' }>,
  plan: PacePlan & { readonly judged: boolean },
  limitBytes: number,
): Promise<Source> {
  checkLimit(`option '--size': ${bytes} bytes`, bytes, limitBytes);
  if (!(numbered ?? plan.judged)) return RoundsSource.of([generatePayload(bytes)], plan);
  const { NumberedPayloads: Payloads } = await import('../../input/numbered-payload.js');
  return new NumberedSource(new Payloads(bytes), plan);
}
