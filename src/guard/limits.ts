/** Limits of the guards. Help and documentation take the numbers from here. */

/** All responses to one request together may be this many times as large as the request. */
export const MAX_AMPLIFICATION = 3;
/** How many identical datagrams from one peer get a response within a second. */
export const MAX_IDENTICAL = 100;
/** How many responses to one peer may be corrupted within a second. */
export const MAX_CORRUPTED = 100;
/** The lowest port of ordinary programs. Services have ports below it, and may respond to a response. */
export const FIRST_USER_PORT = 1024;
/** How many peers, and how many datagrams, a guard keeps in memory. `--max-peers` sets another number. */
export const MAX_REMEMBERED = 65_536;
