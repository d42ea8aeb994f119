import { Argument } from 'commander';
import { CliCommand } from '../cli/command.js';
import { writeHelp } from '../cli/help.js';
import { UsageError } from '../cli/usage-error.js';
import { remedyForCommand } from './habits.js';
import { COMMAND_NAMES } from './names.js';

/** Declares `udpcat help [command]`. It shows the same as `--help`. */
export function declareHelp(command: CliCommand, program: () => Promise<CliCommand>): void {
  const argument = new Argument('[command]', 'the command');
  argument.argChoices = [...COMMAND_NAMES];
  command
    .description('Shows all options of a command, or, without a command, what udpcat can do.')
    .addArgument(argument)
    .allowExcessArguments(false)
    .action(async (name: string | undefined) => {
      const declared = await program();
      const chosen = declared.commands.find((one) => one.name() === name);
      if (name !== undefined && chosen === undefined) throw unknownCommand(name);
      writeHelp(chosen instanceof CliCommand ? chosen : declared);
    });
  command.examples = [
    { line: 'udpcat help', says: 'the commands' },
    { line: 'udpcat help send', says: 'all options of send' },
  ];
}

function unknownCommand(name: string): UsageError {
  const remedy = remedyForCommand(name) ?? `the commands are ${COMMAND_NAMES.join(', ')}`;
  return new UsageError(`unknown command '${name}': ${remedy}`);
}
