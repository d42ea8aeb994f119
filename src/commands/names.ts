/** The names of all commands. This file imports nothing, because `bin/udpcat.ts` needs it before anything else. */
export const COMMAND_NAMES = ['serve', 'send', 'echo', 'watch', 'completion', 'help'] as const;

/** The commands whose start must be fast, and which the build puts into a file without the others. */
export const CORE_COMMANDS = ['serve', 'send', 'echo'] as const;
