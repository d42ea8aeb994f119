/** Limits of the guards that help and documentation name. */

/** How many times as large as a request its responses may be. */
export const MAX_AMPLIFICATION = 3;
/** How many identical datagrams of one peer get responses within a second. */
export const MAX_IDENTICAL = 100;
/** How many responses to one peer may be corrupted within a second. */
export const MAX_CORRUPTED = 100;
/** The first port that programs of users take. Services have lower ones, and would respond to a response. */
export const FIRST_USER_PORT = 1024;
/** Peers, and datagrams, that a guard remembers at once. `--max-peers` sets another number. */
export const MAX_REMEMBERED = 65_536;
