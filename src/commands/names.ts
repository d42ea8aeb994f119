/** The names of all commands. This file imports nothing, because `bin/udpcat.ts` needs it before anything else. */
export const COMMAND_NAMES = ['serve', 'send', 'echo', 'relay', 'watch', 'completion', 'help'] as const;
