// Makes the manual page udpcat(1): options and examples from the declarations of the commands, addresses and values from
// docs/addresses.md, the rest from the README.
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as esbuild from 'esbuild';
import { root } from './bundle.mjs';

/** Width of a line of the source, in characters. */
const WIDTH = 76;

/** Related manual pages, with their sections. */
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
 * @param {string} options.outdir folder for a temporary file
 * @param {string} options.version version of the package
 * @param {Date} options.date date of the page
 * @returns {Promise<string>} the page in the format of man(7)
 */
export async function manPage({ outdir, version, date }) {
  const { program, statuses } = await declaredProgram(outdir, version);
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const addresses = await readFile(join(root, 'docs/addresses.md'), 'utf8');
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
    ...['.SH ADDRESSES', ...markdown(sectionsOf(addresses, 'Addresses', 'Values'))],
    ...['.SH VALUES', ...markdown(sectionsOf(addresses, 'Values'))],
    '.SH EXIT STATUS',
    ...statuses.flatMap(({ status, meaning }) => tagged({ term: prose(`\`${status}\``), text: meaning })),
    ...markdown(sectionsOf(readme, 'Exit status', 'The library').replaceAll(/^\|.*\n/gm, '')),
    '.SH EXAMPLES',
    ...commands.flatMap(({ examples }) => examples).flatMap(example),
    '.SH SEE ALSO',
    SEE_ALSO.map(([name, section]) => `.BR ${name} (${section})`).join(' ,\n'),
  ]
    // A heading begins a paragraph itself.
    .filter((line, index, lines) => line !== '.PP' || !/^\.S[HS] /.test(lines[index - 1]))
    .join('\n')}\n`;
}

/** The program with the options of every command, and the meanings of the exit statuses. */
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

/** The heading, the flags and the help of each option. */
function optionsOf(command) {
  const helper = command.createHelp();
  return helper.visibleOptions(command).map((option) => {
    const group = option.helpGroupHeading ?? 'Options:';
    const text = helper.optionDescription(option);
    return { group, flags: option.flags, text, key: `${group} ${option.flags} ${text}` };
  });
}

/** The options that all these commands have, with the same help. */
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

/** `udpcat serve [options] [address]`, with the literal words in bold. */
function synopsis(usage) {
  const [program, command, ...rest] = usage.split(' ');
  return [bold(`${program} ${command}`), ...rest.map((word) => word.replaceAll(/[a-z]+/g, italic))].join(' ');
}

/** The text of a page from one heading on: up to another, or to the end. */
function sectionsOf(page, heading, next) {
  const end = next === undefined ? '(?![^])' : `^## ${next}\n`;
  const [, text] = new RegExp(`^## ${heading}\n\n([^]*?)${end}`, 'm').exec(page) ?? [];
  if (text === undefined) throw new Error(`a page has no section "${heading}" that ends before "${next}"`);
  return text;
}

const firstParagraph = (readme) => /^udpcat is .*$/m.exec(readme)?.[0] ?? '';

/** Markdown in man(7): headings, blocks, tables, the items of lists and paragraphs, each of which is one line. */
function markdown(text) {
  const parts = text.matchAll(/^```\S*\n([^]*?)^```$|^#+ (.*)$|((?:^\|.*\n)+)|^- (.*)$|^(\S.*)$/gm);
  return [...parts].flatMap(([, code, heading, rows, item, paragraph]) => {
    if (code !== undefined) return ['.PP', '.nf', ...code.trimEnd().split('\n').flatMap(codeLine), '.fi'];
    if (heading !== undefined) return [`.SS ${prose(heading)}`];
    if (rows !== undefined) return table(rows);
    if (item !== undefined) return ['.IP \\(bu 2', ...wrap(prose(item))];
    return ['.PP', ...wrap(prose(paragraph))];
  });
}

/** A line of a block: in the source a long one is broken after a blank, and a backslash joins it again. */
function codeLine(line) {
  const text = escape(line)
    .replaceAll(/(?<!\\)-/g, '\\-')
    .replace(/^\./, '\\&.');
  return text.length > WIDTH ? text.replaceAll(/(.{40,74} )(?=\S)/g, '$1\\\n').split('\n') : [text];
}

/** The rows of a table as terms and texts. A column whose head is code is named: it says the same of another command. */
function table(rows) {
  const [heads, , ...body] = rows
    .trimEnd()
    .split('\n')
    .map((row) =>
      row
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  return body.flatMap(([written, first, ...others]) => {
    const more = others.map((cell, index) => {
      if (['', 'the same', first].includes(cell)) return '';
      return /`/.test(heads[index + 2]) ? `; ${heads[index + 2]}: ${cell}` : `; ${cell}`;
    });
    return tagged({ term: prose(written), text: `${first}${more.join('')}` });
  });
}

/** Text as man(7) takes it. Code becomes bold, and a link becomes its text. */
function prose(text) {
  return text
    .replaceAll(/\[([^\]]+)\]\([^)]*\)/g, '$1')
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

/** Fills lines with words. A line that begins like a request of man(7) is marked as text. */
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
