import type { CliCommand } from '../cli/command.js';
import type { Context, Ending, Io } from '../run/context.js';
import type { COMMAND_NAMES } from './names.js';
import type { LogPlan } from '../run/plan.js';
import { declareSend, runSend } from './send.js';

/** Makes the action of a command: a function that creates the context and runs the plan. */
export type Running = <Plan extends LogPlan>(
  run: (plan: Plan, context: Context) => Promise<Ending>,
) => (plan: Plan) => Promise<void>;

/** The commands. The file of a command is loaded when the user asks for that command; that of `send` always. */
export const COMMANDS: readonly {
  readonly name: (typeof COMMAND_NAMES)[number];
  readonly summary: string;
  /**
   * Adds the options, the arguments and the action to the command.
   *
   * @param program returns the program with the options of every command
   */
  readonly declare: (
    command: CliCommand,
    io: Io,
    running: Running,
    program: () => Promise<CliCommand>,
  ) => Promise<void>;
}[] = [
  {
    name: 'serve',
    summary: 'bind a socket, print what arrives, optionally answer',
    declare: async (command, io, running) => {
      const { declareServe, runServe } = await import('./serve.js');
      declareServe(command, io, running(runServe));
    },
  },
  {
    name: 'send',
    summary: 'send datagrams, optionally wait for and judge the replies',
    // It is imported like any module, because a plain `send` has to start fastest.
    declare: (command, io, running) => {
      declareSend(command, io, running(runSend));
      return Promise.resolve();
    },
  },
  {
    name: 'echo',
    summary: 'send every datagram back to its sender',
    declare: async (command, io, running) => {
      const { declareEcho, runEcho } = await import('./echo.js');
      declareEcho(command, io, running(runEcho));
    },
  },
  {
    name: 'relay',
    summary: 'pass datagrams on, show them, and make the network bad',
    declare: async (command, io, running) => {
      const { declareRelay, runRelay } = await import('./relay.js');
      declareRelay(command, io, running(runRelay));
    },
  },
  {
    name: 'watch',
    summary: 'repeat checks, tell when a target goes up or down',
    declare: async (command, io, running) => {
      const { declareWatch, runWatch } = await import('./watch.js');
      declareWatch(command, io, running(runWatch));
    },
  },
  {
    name: 'completion',
    summary: 'print a script that completes these commands in a shell',
    declare: async (command, _io, _running, program) => {
      const { declareCompletion } = await import('./completion.js');
      declareCompletion(command, program);
    },
  },
  {
    name: 'help',
    summary: 'show all options of a command',
    declare: async (command, _io, _running, program) => {
      const { declareHelp } = await import('./help.js');
      declareHelp(command, program);
    },
  },
];
