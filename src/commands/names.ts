/** The names of all commands. This file imports nothing, because `bin/udpcat.ts` needs it before anything else. */
export const COMMAND_NAMES = ['serve', 'send', 'echo', 'watch', 'completion', 'help'] as const;

/**
 * The commands that only `main-all.cjs` runs: `help` and `completion` need all others. The build leaves the code of `watch`
 * and `completion` out of `main.cjs`, because every run reads its whole file.
 */
export const SEPARATE_COMMANDS = ['watch', 'completion', 'help'] as const;
