// Makes the manual page udpcat(1): options and examples from the declarations of the commands, the rest from the README.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { root } from './bundle.mjs';

/** Width of a line of the source, in characters. */
const WIDTH = 76;

/** Pages of others that a reader may want, by section. */
const SEE_ALSO = [
  ['nc', 1],
  ['socat', 1],
  ['sd_listen_fds', 3],
  ['sd_notify', 3],
  ['systemd.socket', 5],
  ['udp', 7],
  ['tcpdump', 8],
];

/**
 * Writes the page.
 *
 * @param {object} options
 * @param {string} options.outdir folder for a file that is removed again
 * @param {string} options.version that of the package
 * @param {Date} options.date when the page was made
 * @returns {Promise<string>} its source in man(7)
 */
export async function manPage({ outdir, version, date }) {
  const { program, statuses } = await declaredProgram(outdir, version);
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const helper = program.createHelp();
  const commands = program.commands.map((command) => ({
    name: command.name(),
    usage: `${program.name()} ${command.name()} ${command.usage()}`,
    description: command.description(),
    operands: command.registeredArguments.map((operand) => ({
      term: italic(operand.name()),
      text: helper.argumentDescription(operand),
    })),
    options: optionsOf(command),
    examples: command.examples,
  }));
  const shared = sharedOptions(commands.filter(({ options }) => options.length > 1));
  const isShared = ({ key }) => shared.some((option) => option.key === key);
  return `${[
    `.TH UDPCAT 1 ${date.toISOString().slice(0, 10)} "udpcat ${version}" "User Commands"`,
    ...['.SH NAME', ...wrap(`udpcat \\- ${prose(program.description())}`)],
    '.SH SYNOPSIS',
    ...commands.flatMap(({ usage }, index) => [...(index > 0 ? ['.br'] : []), synopsis(usage)]),
    ...['.SH DESCRIPTION', ...wrap(prose(firstParagraph(readme)))],
    '.SH COMMANDS',
    ...commands.flatMap(({ usage, name, description, operands, options }) => [
      ...[`.SS ${name}`, synopsis(usage), '.PP', ...wrap(prose(description))],
      ...operands.flatMap(tagged),
      ...groups(options.filter((option) => !isShared(option))),
    ]),
    ...['.SS Options that the commands share', ...groups(shared).slice(1)],
    ...['.SS Options without a command', ...groups(optionsOf(program)).slice(1)],
    ...['.SH ADDRESSES', ...addresses(sectionOf(readme, 'Addresses and values'))],
    '.SH EXIT STATUS',
    ...statuses.flatMap(({ status, meaning }) => tagged({ term: prose(`\`${status}\``), text: meaning })),
    ...afterTable(sectionOf(readme, 'Exit status')),
    '.SH EXAMPLES',
    ...commands.flatMap(({ examples }) => examples).flatMap(example),
    '.SH SEE ALSO',
    SEE_ALSO.map(([name, section]) => `.BR ${name} (${section})`).join(' ,\n'),
  ].join('\n')}\n`;
}

/** The program as the command itself declares it, and the meanings of its exit statuses. */
async function declaredProgram(outdir, version) {
  const outfile = join(outdir, 'program.mjs');
  await esbuild.build({
    ...{ absWorkingDir: root, bundle: true, platform: 'node', target: 'node20.19', format: 'esm', outfile },
    stdin: {
      contents: `export { declareProgram } from './src/commands/program.ts';
        export { EXIT_STATUSES } from './src/run/exit-code.ts';`,
      resolveDir: root,
    },
    packages: 'external',
    logLevel: 'warning',
  });
  try {
    const { declareProgram, EXIT_STATUSES } = await import(pathToFileURL(outfile).href);
    return { program: await declareProgram({ version }), statuses: EXIT_STATUSES };
  } finally {
    await rm(outfile);
  }
}

/** Under which heading each option stands, how it is written, and what the help says. */
function optionsOf(command) {
  const helper = command.createHelp();
  return helper.visibleOptions(command).map((option) => {
    const group = option.helpGroupHeading ?? 'Options:';
    const text = helper.optionDescription(option);
    return { group, flags: option.flags, text, key: `${group} ${option.flags} ${text}` };
  });
}

/** What all of these commands have, with the same words. */
function sharedOptions([first, ...others]) {
  return first.options.filter(({ key }) => others.every(({ options }) => options.some((option) => option.key === key)));
}

const example = ({ line, says }) => tagged({ term: bold(line), text: says });

function groups(options) {
  const headings = [...new Set(options.map(({ group }) => group))];
  return headings.flatMap((heading) => [
    ...['.PP', italic(heading)],
    ...options
      .filter(({ group }) => group === heading)
      .flatMap(({ flags, text }) => tagged({ term: optionTerm(flags), text })),
  ]);
}

function optionTerm(flags) {
  const [, names, value] = /^(.*?)(?: <(.*)>)?$/.exec(flags);
  return `${names.split(', ').map(bold).join(', ')}${value === undefined ? '' : ` ${italic(value)}`}`;
}

const tagged = ({ term, text }) => ['.TP', term, ...wrap(prose(text))];

/** `udpcat serve [options] [address]`, with what is written as it stands in bold. */
function synopsis(usage) {
  const [program, command, ...rest] = usage.split(' ');
  return [bold(`${program} ${command}`), ...rest.map((word) => word.replaceAll(/[a-z]+/g, italic))].join(' ');
}

/** Everything under a heading of the README. */
function sectionOf(readme, heading) {
  const [, text] = new RegExp(`^## ${heading}\\n\\n(.*?)(?=^## )`, 'ms').exec(readme) ?? [];
  if (text === undefined) throw new Error(`the README has no section "${heading}"`);
  return text;
}

const firstParagraph = (readme) => /^udpcat is .*$/m.exec(readme)?.[0] ?? '';

/** The rows of the table in a section, each as a term and a text, and the paragraphs after it. */
function table(section, read) {
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return [
    ...rows.slice(2).flatMap((row) => {
      const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
      const [term, text] = read(cells.slice(1, -1));
      return tagged({ term: prose(/`/.test(term) ? term : `\`${term}\``), text });
    }),
    ...afterTable(section),
  ];
}

/** The paragraphs of a section that are no rows of its table. */
function afterTable(section) {
  return section
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('|'))
    .flatMap(paragraphs);
}

const addresses = (section) =>
  table(section, ([written, bound, sent]) => {
    if (sent === '–') return [written, `${bound}; not for \`send\``];
    return [written, sent === bound || sent === 'the same' ? bound : `${bound}; for \`send\` ${sent}`];
  });

const paragraphs = (text) => ['.PP', ...wrap(prose(text))];

/** Text as man(7) takes it; of Markdown, what is code becomes bold and a link its text. */
function prose(text) {
  return text
    .replaceAll(/\[([^\]]+)\]\((?:https?:|#)[^)]*\)/g, '$1')
    .split('`')
    .map((part, index) => (index % 2 === 1 ? bold(part) : escape(part)))
    .join('');
}

const bold = (text) => `\\fB${escape(text).replaceAll(/(?<!\\)-/g, '\\-')}\\fR`;
const italic = (text) => `\\fI${escape(text)}\\fR`;

function escape(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll(/(?<=^|\s)-/g, '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll(
      /[^\n -~]/gu,
      (character) => `\\[u${character.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}

/** Fills lines; one that would be taken for a request is marked as text. */
function wrap(text) {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1);
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => (line.startsWith('.') ? `\\&${line}` : line));
}
