import { UsageError } from '../cli/usage-error.js';
import type { ControlPlan } from './plan.js';

/** @throws {UsageError} if everybody could change relays, and the plan does not say so */
export function checkControl(
  { token, allow, open }: Pick<ControlPlan, 'token' | 'allow' | 'open'>,
  isLoopback: boolean,
): void {
  if (isLoopback || token !== undefined || allow !== undefined || open) return;
  throw new UsageError(
    `option '--http': beyond the loopback everybody could change relays: add --http-token, --http-allow or --http-open`,
  );
}
