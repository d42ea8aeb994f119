import { type Command, type Help, type Option } from 'commander';
import type { CliCommand, Example } from './command.js';
import { DeclaredOption } from './options.js';

/** Width of the help on a wide terminal and without a terminal: longer lines are hard to read. */
const MOST_COLUMNS = 80;

/** Width of the help on a terminal that is narrower than this. */
const LEAST_COLUMNS = 20;

/** A text with fewer columns than this stands below its term, not beside it. */
const LEAST_COLUMNS_BESIDE = 30;

/** A word of a shell's command line, quotes included. */
const SHELL_WORD = /(?:'[^']*'|\S)+/g;

/** A line of a list: an argument, an option or a command. */
interface Item {
  readonly term: string;
  readonly text: string;
}

interface List {
  readonly heading: string;
  readonly items: readonly Item[];
}

/** Options of {@link formatHelp}. */
export interface HelpLayout {
  /** Shows only the options that most people need. A program with commands has no shorter help. Default: false. */
  readonly isShort?: boolean;
  /** Columns of the terminal. The help uses 20 to 80 of them. Default: 80. */
  readonly columns?: number | undefined;
}

/** Writes the help of a command to stdout, as wide as the terminal. */
export function writeHelp(command: CliCommand, { isShort = false }: Pick<HelpLayout, 'isShort'> = {}): void {
  const output = command.configureOutput();
  output.writeOut?.(formatHelp(command, { isShort, columns: output.getOutHelpWidth?.() }));
}

/** Returns the help of a command: usage, description, arguments, options, commands, notes, examples. */
export function formatHelp(command: CliCommand, { isShort = false, columns }: HelpLayout = {}): string {
  const width = columns === undefined || columns === 0 ? MOST_COLUMNS : clamp(columns, LEAST_COLUMNS, MOST_COLUMNS);
  const helper = command.createHelp();
  const lists = isShort && command.commands.length === 0 ? shortLists(command, helper) : allLists(command, helper);
  return `${[
    wrap(`Usage: ${helper.commandUsage(command)}`, width).join('\n'),
    wrap(command.description(), width).join('\n'),
    ...formatLists(lists, width),
    ...command.notes().map((note) => wrap(note, width).join('\n')),
    ...(command.examples.length === 0 ? [] : [formatExamples(command.examples, width)]),
  ].join('\n\n')}\n`;
}

function shortLists(command: Command, helper: Help): readonly List[] {
  const options = helper.visibleOptions(command);
  const shown = options.filter((option) => option instanceof DeclaredOption && option.isCommon);
  const heading = shown.length < options.length ? `Common options (--help shows all ${options.length}):` : 'Options:';
  return [argumentList(command, helper), { heading, items: shown.map((option) => itemOf(option, helper)) }];
}

function allLists(command: Command, helper: Help): readonly List[] {
  const groups = new Map<string, Item[]>();
  for (const option of helper.visibleOptions(command)) {
    const heading = option.helpGroupHeading ?? 'Options:';
    groups.set(heading, [...(groups.get(heading) ?? []), itemOf(option, helper)]);
  }
  const commands = helper
    .visibleCommands(command)
    .map((one) => ({ term: one.name(), text: helper.subcommandDescription(one) }));
  return [
    argumentList(command, helper),
    { heading: 'Commands:', items: commands },
    ...[...groups].map(([heading, items]) => ({ heading, items })),
  ];
}

function argumentList(command: Command, helper: Help): List {
  const items = helper
    .visibleArguments(command)
    .map((argument) => ({ term: argument.name(), text: helper.argumentDescription(argument) }));
  return { heading: 'Arguments:', items };
}

function itemOf(option: Option, helper: Help): Item {
  return { term: option.flags, text: helper.optionDescription(option) };
}

/** All lists have one width of terms. */
function formatLists(lists: readonly List[], width: number): readonly string[] {
  const termWidth = Math.max(...lists.flatMap(({ items }) => items.map(({ term }) => term.length)));
  const column = 2 + termWidth + 2;
  return lists
    .filter(({ items }) => items.length > 0)
    .map(({ heading, items }) =>
      [
        heading,
        ...items.flatMap((item) =>
          width - column < LEAST_COLUMNS_BESIDE ? below(item, width) : beside(item, column, width),
        ),
      ].join('\n'),
    );
}

function beside({ term, text }: Item, column: number, width: number): readonly string[] {
  const [first = '', ...more] = wrap(text, width - column);
  return [`  ${term}`.padEnd(column) + first, ...more.map((line) => ' '.repeat(column) + line)];
}

function below({ term, text }: Item, width: number): readonly string[] {
  return [`  ${term}`, ...wrap(text, width - 6).map((line) => `      ${line}`)];
}

/** Where the words do not fit beside the command lines, they stand above as comments of the shell. */
function formatExamples(examples: readonly Example[], width: number): string {
  const column = 2 + Math.max(...examples.map(({ line }) => line.length)) + 2;
  const fits = examples.every(({ says }) => column + says.length <= width);
  const lines = examples.flatMap(({ line, says }) => {
    if (fits) return [`  ${line}`.padEnd(column) + says];
    return [...wrap(says, width - 4).map((words) => `  # ${words}`), ...wrapCommand(line, width)];
  });
  return ['Examples:', ...lines].join('\n');
}

/** Breaks a command line between words, so that a shell takes the lines as one. */
function wrapCommand(line: string, width: number): readonly string[] {
  if (line.length + 2 <= width) return [`  ${line}`];
  // Two columns for the backslash, and four for the indent.
  const lines = fill(line.match(SHELL_WORD) ?? [], width - 6);
  return lines.map((part, index) => `${index === 0 ? '  ' : '    '}${part}${index < lines.length - 1 ? ' \\' : ''}`);
}

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(value, most));
}

function wrap(text: string, width: number): readonly string[] {
  return fill(text.split(' '), width);
}

/** Fills lines with words. A word that is longer than a line has a line of its own. */
function fill(words: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
