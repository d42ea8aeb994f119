/** The names of all commands; a file of its own, which loads nothing, for whoever starts them. */
export const COMMAND_NAMES = ['serve', 'send', 'echo', 'completion'] as const;
