/** Limits that end programs which hang. Other programs stay far below them, also on a very busy machine. */

/** How long a program of a test may run. The limit is below that of jest, so that the failure shows its output. */
export const HANG_MS = 240_000;

/** How long a program may take to end after SIGTERM. Then it is killed. */
export const GRACE_MS = 60_000;
