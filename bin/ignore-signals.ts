/**
 * Ignores two signals from the very start of the process. SIGUSR2 asks a run for a report, and kills a process that has
 * no listener for it yet. SIGUSR1 makes Node open its debugger on port 9229.
 */
import { onSignal } from './system.js';

for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) onSignal(signal, () => undefined);
