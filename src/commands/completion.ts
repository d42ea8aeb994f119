import { Argument, type Command, type Option } from 'commander';
import type { CliCommand, Example } from '../cli/command.js';
import { PROBES } from '../probes/table.js';
import { DeclaredOption } from '../cli/options.js';
import { UsageError } from '../cli/usage-error.js';
import type { Completes } from '../text/value.js';

/** The shells, and for each the function that writes its script. */
const SHELLS = { bash: forBash, zsh: forZsh, fish: forFish } as const;

const EXAMPLES: readonly Example[] = [
  { line: 'source <(udpcat completion bash)', says: 'in ~/.bashrc' },
  { line: 'source <(udpcat completion zsh)', says: 'in ~/.zshrc, after compinit' },
  { line: 'udpcat completion fish | source', says: 'in ~/.config/fish/config.fish' },
];

/** Declares `udpcat completion <shell>`. @param program returns the program with the options of every command */
export function declareCompletion(command: CliCommand, program: () => Promise<Command>): void {
  const argument = new Argument('[shell]', 'the shell');
  argument.argChoices = Object.keys(SHELLS);
  command
    .description(
      'Prints a script for a shell. With it, the shell completes the commands, options and values of udpcat.',
    )
    .usage('[options] <shell>')
    .addArgument(argument)
    .allowExcessArguments(false)
    .action(async (shell: string | undefined) => {
      const write = Object.entries(SHELLS).find(([name]) => name === shell)?.[1];
      if (write === undefined) throw new UsageError(describeMissing(shell));
      command.configureOutput().writeOut?.(write(describe(await program())));
    });
  command.examples = EXAMPLES;
}

function describeMissing(shell: string | undefined): string {
  const what = shell === undefined ? 'the shell is missing' : `there are no completions for '${shell}'`;
  return `${what}: write udpcat completion and one of ${Object.keys(SHELLS).join(', ')}`;
}

/** The values that a shell can offer. Undefined: only the user can know the value. */
type Offer = Exclude<Completes, 'probe'> | undefined;

/** The facts of an option for a shell. */
interface CompletedOption {
  /** Its names: `-o` and `--output`. */
  readonly names: readonly string[];
  readonly help: string;
  /** The name of its value. Undefined: it has none. */
  readonly value: string | undefined;
  readonly offer: Offer;
  readonly repeatable: boolean;
}

/** The facts of a command for a shell. */
interface CompletedCommand {
  readonly name: string;
  readonly help: string;
  readonly options: readonly CompletedOption[];
  readonly operands: readonly { readonly name: string; readonly variadic: boolean; readonly offer: Offer }[];
}

/** The options without a command, and the commands. */
interface CompletedProgram {
  readonly options: readonly CompletedOption[];
  readonly commands: readonly CompletedCommand[];
}

function describe(program: Command): CompletedProgram {
  return {
    options: describeOptions(program),
    commands: program.commands.map((command) => ({
      name: command.name(),
      help: command.summary(),
      options: describeOptions(command),
      operands: command.registeredArguments.map((operand) => ({
        name: operand.name(),
        variadic: operand.variadic,
        offer: operand.argChoices,
      })),
    })),
  };
}

function describeOptions(command: Command): readonly CompletedOption[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .map((option) => ({
      names: [option.short, option.long].filter((name) => name !== undefined),
      help: option.description,
      value: /<(.*)>/.exec(option.flags)?.[1],
      offer: offerOf(option),
      repeatable: option.description.endsWith('(repeatable)'),
    }));
}

function offerOf(option: Option): Offer {
  const completes = option instanceof DeclaredOption ? option.completes : undefined;
  return completes === 'probe' ? ['list', 'help:', ...Object.keys(PROBES)] : completes;
}

/** Lists the network interfaces: the first on Linux, the second on other systems. */
const LIST_INTERFACES = 'command ls /sys/class/net 2>/dev/null || command ifconfig -l 2>/dev/null';

/** A function for `complete -F` (bash(1), "Programmable Completion"). It needs bash 3.2 or newer, and no other file. */
function forBash({ options, commands }: CompletedProgram): string {
  const values = commands.flatMap(({ name, options: own }) =>
    own
      .filter(({ value }) => value !== undefined)
      .map(
        ({ names, offer }) => `    ${names.map((option) => `${name}:${option}`).join(' | ')}) ${bashOffer(offer)} ;;`,
      ),
  );
  const optionsOf = (own: readonly CompletedOption[]): string => own.flatMap(({ names }) => names).join(' ');
  const perCommand = commands.map(({ name, options: own, operands }) => {
    const offer = operands.find((operand) => operand.offer !== undefined)?.offer;
    return `    ${name}) options='${optionsOf(own)}' operands='${Array.isArray(offer) ? offer.join(' ') : ''}' ;;`;
  });
  return `# Completions of udpcat for bash; see: udpcat completion --help
_udpcat_words() {
  local word
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$@")
  # A word that ends in a colon is not complete.
  if [[ \${#COMPREPLY[@]} == 1 && \${COMPREPLY[0]} == *: ]]; then compopt -o nospace 2>/dev/null; fi
}

_udpcat() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command=\${COMP_WORDS[1]}
  local options operands index
  COMPREPLY=()
  # Bash divides --option=value into three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $before == = ]] && ((COMP_CWORD > 2)); then
    before=\${COMP_WORDS[COMP_CWORD-2]}
  fi
  if ((COMP_CWORD < 2)); then
    if [[ $current == -* ]]; then
      _udpcat_words -W '${optionsOf(options)}' -- "$current"
    else
      _udpcat_words -W '${commands.map(({ name }) => name).join(' ')}' -- "$current"
    fi
    return
  fi
  for ((index = 2; index < COMP_CWORD; index++)); do
    if [[ \${COMP_WORDS[index]} == -- ]]; then return; fi
  done
  case $command:$before in
${values.join('\n')}
  esac
  case $command in
${perCommand.join('\n')}
    *) return ;;
  esac
  if [[ $current == -* ]]; then
    _udpcat_words -W "$options" -- "$current"
  elif [[ -n $operands ]]; then
    _udpcat_words -W "$operands" -- "$current"
  fi
}

complete -F _udpcat udpcat
`;
}

function bashOffer(offer: Offer): string {
  switch (offer) {
    case undefined:
      return 'return';
    case 'file':
      return 'compopt -o filenames 2>/dev/null; _udpcat_words -f -- "$current"; return';
    case 'interface':
      return `_udpcat_words -W "$(${LIST_INTERFACES})" -- "$current"; return`;
    default:
      return `_udpcat_words -W '${offer.join(' ')}' -- "$current"; return`;
  }
}

/** A function for `compdef` (zshcompsys(1)). A user sources it, or saves it as `_udpcat` in a folder of `fpath`. */
function forZsh({ options, commands }: CompletedProgram): string {
  const optionLines = (own: readonly CompletedOption[], indent: string): string =>
    own.map((option) => `${indent}${zshOption(option)} \\\n`).join('');
  const perCommand = commands.map(({ name, options: own, operands }) => {
    const rest = operands.map(
      ({ name: operand, variadic, offer }, index) =>
        `        ${zshQuote(`${variadic ? '*' : index + 1}:${operand}:${zshOffer(offer)}`)}`,
    );
    return `    ${name})\n      _arguments -S : \\\n${optionLines(own, '        ')}${rest.join(' \\\n')}\n      ;;`;
  });
  const described = commands.map(({ name, help }) => `    ${zshQuote(`${name}:${help}`)}`);
  return `#compdef udpcat
# Completions of udpcat for zsh; see: udpcat completion --help
_udpcat() {
  local curcontext=$curcontext state line
  typeset -A opt_args
  local -a commands
  commands=(
${described.join('\n')}
  )
  _arguments -C -S : \\
${optionLines(options, '    ')}    '1: :->command' '*:: :->words'
  case $state in
    command)
      _describe -t commands 'udpcat command' commands
      return
      ;;
    words) ;;
    *) return ;;
  esac
  case $words[1] in
${perCommand.join('\n')}
  esac
}

if [[ $funcstack[1] == _udpcat ]]; then
  _udpcat "$@"
else
  compdef _udpcat udpcat
fi
`;
}

function zshOption({ names, help, value, offer, repeatable }: CompletedOption): string {
  const told = `[${help.replaceAll(/[[\]\\]/g, '\\$&')}]`;
  const taken = value === undefined ? '' : `:${value.replaceAll(':', '\\:')}:${zshOffer(offer)}`;
  const once = repeatable ? '*' : `(${names.join(' ')})`;
  return names
    .map((name) => {
      // The value of a short or long option stands in the same word or in the next.
      const joined = value === undefined ? '' : name.startsWith('--') ? '=' : '+';
      return zshQuote(`${once}${name}${joined}${told}${taken}`);
    })
    .join(' ');
}

function zshOffer(offer: Offer): string {
  switch (offer) {
    case undefined:
      return ' ';
    case 'file':
      return '_files';
    case 'interface':
      return '_net_interfaces';
    default:
      return `(${offer.map((word) => word.replaceAll(':', '\\:')).join(' ')})`;
  }
}

function zshQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Lines of `complete` (fish's complete(1)). */
function forFish({ options, commands }: CompletedProgram): string {
  const lines = [
    '# Completions of udpcat for fish; see: udpcat completion --help',
    'complete -c udpcat -f',
    ...options.map((option) => fishOption('__fish_use_subcommand', option)),
  ];
  for (const { name, help, options: own, operands } of commands) {
    const chosen = `__fish_seen_subcommand_from ${name}`;
    lines.push(`complete -c udpcat -n __fish_use_subcommand -a ${name} -d ${fishQuote(help)}`);
    for (const { offer } of operands) {
      if (offer !== undefined) lines.push(`complete -c udpcat -n '${chosen}' ${fishOffer(offer)}`);
    }
    lines.push(...own.map((option) => fishOption(chosen, option)));
  }
  return `${lines.join('\n')}\n`;
}

function fishOption(condition: string, { names, help, value, offer }: CompletedOption): string {
  const written = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const taken = value === undefined ? '' : ` ${fishOffer(offer)}`;
  return `complete -c udpcat -n '${condition}' ${written.join(' ')}${taken} -d ${fishQuote(help)}`;
}

function fishOffer(offer: Offer): string {
  switch (offer) {
    case undefined:
      return '-x';
    case 'file':
      return '-r -F';
    case 'interface':
      return `-x -a '(__fish_print_interfaces)'`;
    default:
      return `-x -a '${offer.join(' ')}'`;
  }
}

function fishQuote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, '\\$&')}'`;
}
