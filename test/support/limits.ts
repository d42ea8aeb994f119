/** Limits that only end what hangs: a machine with many times more work than cores stays far below them. */

/** How long a program that a test started may run, in milliseconds: below jest's own limit, so that what it wrote shows. */
export const HANG_MS = 240_000;

/** How long a program has, in milliseconds, to end by SIGTERM before it is killed. */
export const GRACE_MS = 60_000;
