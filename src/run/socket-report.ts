import type { DatagramSocket } from '../net/index.js';
import type { Context } from './context.js';
import type { BufferPlan } from './plan.js';

/** Logs at the level `debug` that the linux engine is used and what it lacks here, or why it is not used. */
export function reportEngine(
  {
    engine,
    engineUnavailable: unavailable,
    missingFeatures,
  }: Pick<DatagramSocket, 'engine' | 'engineUnavailable' | 'missingFeatures'>,
  { log }: Context,
): void {
  if (unavailable !== undefined) log.debug(`the node engine is used: ${unavailable.message}`, { engine });
  else if (engine === 'linux') log.debug('the linux engine is used', { engine });
  for (const { option, code, consequence } of missingFeatures) {
    log.debug(`the system refuses the socket option ${option} (${code}): ${consequence}`, { option, code });
  }
}

/** Warns of each buffer that the kernel made smaller than the user asked. */
export function reportBuffers(
  { recvBuffer, sendBuffer }: BufferPlan,
  granted: { readonly recvBytes: number; readonly sendBytes: number },
  { log }: Context,
): void {
  const buffers = [
    { name: '--recv-buffer', asked: recvBuffer, bytes: granted.recvBytes, limit: 'net.core.rmem_max' },
    { name: '--send-buffer', asked: sendBuffer, bytes: granted.sendBytes, limit: 'net.core.wmem_max' },
  ];
  for (const { name, asked, bytes, limit } of buffers) {
    if (asked === undefined || bytes >= asked) continue;
    log.warn(`${name}: the kernel granted ${bytes} of ${asked} bytes (on Linux, ${limit} is the limit)`);
  }
}
