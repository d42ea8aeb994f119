import type { NumberedPayloads } from '../../input/numbered-payload.js';
import { generatePayload } from '../../input/payload.js';
import type { PacePlan } from '../plan.js';
import { checkLimit } from './limit.js';
import { RoundsSource } from './rounds.js';
import type { Source } from './source.js';

/** Generated payloads that carry numbers, so that their echoes are told apart. */
class NumberedSource extends RoundsSource {
  readonly numbered: NumberedPayloads;

  constructor(messages: NumberedPayloads, plan: PacePlan) {
    super(messages, plan);
    this.numbered = messages;
  }
}

/**
 * Generated payloads of one size. They are numbered where replies are awaited. Else they are the same every time: nothing
 * is sent faster.
 *
 * @throws {UsageError} for a size that no datagram holds
 */
export async function generatedSource(
  bytes: number,
  plan: PacePlan & { readonly judged: boolean },
  limitBytes: number,
): Promise<Source> {
  checkLimit(`option '--size': ${bytes} bytes`, bytes, limitBytes);
  if (!plan.judged) return RoundsSource.of([generatePayload(bytes)], plan);
  const { NumberedPayloads: Payloads } = await import('../../input/numbered-payload.js');
  return new NumberedSource(new Payloads(bytes), plan);
}
