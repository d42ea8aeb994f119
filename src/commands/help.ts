import { Argument } from 'commander';
import { CliCommand } from '../cli/command.js';
import { writeHelp } from '../cli/help.js';
import { COMMAND_NAMES } from './names.js';

/** Declares `udpcat help [command]`. It shows the same as `--help`. */
export function declareHelp(command: CliCommand, program: () => Promise<CliCommand>): void {
  command
    .description('Shows all options of a command, or, without a command, what udpcat can do.')
    .addArgument(new Argument('[command]', 'the command').choices(COMMAND_NAMES))
    .allowExcessArguments(false)
    .action(async (name: string | undefined) => {
      const declared = await program();
      const chosen = declared.commands.find((one) => one.name() === name);
      writeHelp(chosen instanceof CliCommand ? chosen : declared);
    });
  command.examples = [
    { line: 'udpcat help', says: 'the commands' },
    { line: 'udpcat help send', says: 'all options of send' },
  ];
}
