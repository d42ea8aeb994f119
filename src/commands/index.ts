import type { Command } from 'commander';
import type { Context, Ending, Io } from '../run/context.js';
import type { COMMAND_NAMES } from './names.js';
import type { RunPlan } from '../run/plan.js';

/** Turns the function that runs a command into what commander calls with the plan. */
export type Running = <Plan extends RunPlan>(
  run: (plan: Plan, context: Context) => Promise<Ending>,
) => (plan: Plan) => Promise<void>;

/** The commands. The file of each is read only if it is the one asked for. */
export const COMMANDS: readonly {
  readonly name: (typeof COMMAND_NAMES)[number];
  readonly summary: string;
  /** @param program declares the program with every command and option, to be described */
  readonly declare: (command: Command, io: Io, running: Running, program: () => Promise<Command>) => Promise<void>;
}[] = [
  {
    name: 'serve',
    summary: 'bind, print what arrives, optionally answer',
    declare: async (command, io, running) => {
      const { declareServe, runServe } = await import('./serve.js');
      declareServe(command, io, running(runServe));
    },
  },
  {
    name: 'send',
    summary: 'send datagrams, optionally wait for and judge the replies',
    declare: async (command, io, running) => {
      const { declareSend, runSend } = await import('./send.js');
      declareSend(command, io, running(runSend));
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
    name: 'completion',
    summary: 'print what a shell needs to complete these commands',
    declare: async (command, _io, _running, program) => {
      const { declareCompletion } = await import('./completion.js');
      declareCompletion(command, program);
    },
  },
];
