import { UsageError } from '../cli/usage-error.js';
import { type Family, MAX_PAYLOAD_BYTES } from '../net/index.js';
import type { Program } from './program-run.js';

/** How `serve` responds to requests. */
export type ResponsePlan =
  | { readonly kind: 'payload'; readonly payload: Uint8Array }
  /** `family` is that of the bound address. It limits the size of the file. */
  | { readonly kind: 'file'; readonly path: string; readonly family: Family }
  | { readonly kind: 'rules'; readonly path: string }
  | {
      readonly kind: 'program';
      readonly program: Program;
      /** How long a program may run, in milliseconds. */
      readonly timeoutMs: number;
      /** The maximum number of programs that run at the same time, at least 1. */
      readonly concurrency: number;
    };

/**
 * Checks that a response fits a datagram: at most 65507 bytes over IPv4, 65527 over IPv6.
 *
 * @param name The option that the response comes from, for the message.
 * @throws {UsageError} if the response is larger
 */
export function checkReplySize({ length }: Uint8Array, name: string, family: Family): void {
  const limit = MAX_PAYLOAD_BYTES[family];
  if (length <= limit) return;
  throw new UsageError(
    `option '${name}': a reply of ${length} bytes is more than a datagram to IPv${family} holds, ${limit}`,
  );
}
