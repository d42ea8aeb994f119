import { Command, type HelpContext } from 'commander';
import { DeclaredOption } from './options.js';
import { UsageError } from './usage-error.js';

/** One example of the help. */
export interface Example {
  /** The command line. */
  readonly line: string;
  /** A few words on what it does. */
  readonly says: string;
}

/** Thrown when the user asks for help, so that the code that formats help is loaded only then. */
export class HelpRequest extends Error {
  readonly command: CliCommand;

  constructor(command: CliCommand) {
    super('help was asked for');
    this.command = command;
  }
}

/** A command with examples and notes for its help. */
export class CliCommand extends Command {
  /** The last part of the help. */
  examples: readonly Example[] = [];
  /** The words of the command line, if only options among them are to be declared. Undefined: all are. */
  words: readonly string[] | undefined;
  /** Returns the paragraphs between the options and the examples. It is called only for help. */
  notes: () => readonly string[] = () => [];

  constructor(name?: string) {
    super(name);
    const help = new DeclaredOption('-h, --help', 'show help: -h the common options, --help all options');
    help.isCommon = true;
    this.addHelpOption(help);
  }

  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  /**
   * Commander calls this for `-h` and `--help`, and with `error` for a command line without a command.
   *
   * @throws {HelpRequest}
   * @throws {UsageError} for a command line without a command
   */
  override helpInformation(context?: HelpContext): never {
    if (context?.error === true) {
      const names = this.commands.map((command) => command.name()).join(', ');
      throw new UsageError(`a command is missing: ${names}; ${this.name()} --help tells more`);
    }
    throw new HelpRequest(this);
  }
}
