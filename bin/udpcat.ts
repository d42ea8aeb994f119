// First of all: whatever comes before it can be killed by them.
import './ignore-signals.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { COMMAND_NAMES } from '../src/commands/names.js';
import { nameOf, readKept, writeKept } from './kept-code.js';

/**
 * Starts `main.cjs`. The code that V8 compiled of it at the last run is kept, because compiling takes longer than all
 * else that a one-shot `send` does. Nothing depends on kept code: where there is none, the command is compiled anew.
 */
function launch(): void {
  const file = join(__dirname, 'main.cjs');
  const program = readFileSync(file);
  const name = nameOf(kindOf(process.argv), program);
  const cachedData = name && readKept(name);
  const source = `(function (require, __dirname) {\n${program.toString('latin1')}\n})`;
  const script = new Script(source, { filename: file, lineOffset: -1, ...(cachedData && { cachedData }) });
  if (name !== undefined && script.cachedDataRejected !== false) {
    // At the end, because only then it holds the functions that were called.
    process.once('exit', () => writeKept(name, script.createCachedData()));
  }
  const main = script.runInThisContext() as (require: NodeJS.Require, directory: string) => void;
  main(require, __dirname);
}

/** Options with which `send` sends more than once, and mostly with the linux engine. */
const REPEATING = /^(-c|--(count|interval|duration|rate|replay))/;

/**
 * Which functions a run calls: those of one command. A one-shot `send` calls few that a flood does, and is not to pay
 * for them. All words that are no command share one kind.
 */
function kindOf(argv: readonly string[]): string {
  const command = COMMAND_NAMES.find((name) => name === argv[2]) ?? 'none';
  return command === 'send' && argv.some((word) => REPEATING.test(word)) ? 'sendmany' : command;
}

try {
  launch();
} catch (error) {
  // Such as too few descriptors to read a file. Nagios takes 1 for a warning, and 3 for what it does not know.
  process.stderr.write(`udpcat: cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = process.argv.some((word) => /^(--exit-code=)?nagios$/.test(word)) ? 3 : 1;
}
