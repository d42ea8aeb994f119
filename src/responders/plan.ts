import { UsageError } from '../cli/usage-error.js';
import { type Family, MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Program } from './program-run.js';

/** How `serve` responds. */
export type ResponsePlan =
  | { readonly kind: 'payload'; readonly payload: Uint8Array }
  /** The family tells how much may be in it. */
  | { readonly kind: 'file'; readonly path: string; readonly family: Family }
  | { readonly kind: 'rules'; readonly path: string }
  | {
      readonly kind: 'program';
      readonly program: Program;
      readonly timeoutMs: number;
      /** Programs that run at a time. */
      readonly concurrency: number;
    };

/** @param name the option that the reply is of. @throws {UsageError} for one that no datagram holds */
export function checkReplySize({ length }: Uint8Array, name: string, family: Family): void {
  const limit = MAX_PAYLOAD_BYTES[family];
  if (length <= limit) return;
  throw new UsageError(
    `option '${name}': a reply of ${length} bytes is more than a datagram to IPv${family} holds, ${limit}`,
  );
}
