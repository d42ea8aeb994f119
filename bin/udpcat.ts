// This import comes first: until it runs, the signals can kill the process.
import './ignore-signals.js';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { COMMAND_NAMES } from '../src/commands/names.js';
import { nameOf, readKept, writeKept } from './kept-code.js';

/**
 * Runs `main.cjs` with the compiled code that an earlier run has kept, because compiling takes longer
 * than all the rest of a `send` of one datagram. Without kept code the command is compiled anew, and the code is kept at
 * the end.
 */
function launch(): void {
  const file = join(__dirname, 'main.cjs');
  const program = readFileSync(file);
  const name = nameOf(kindOf(process.argv), program);
  const cachedData = name && readKept(name);
  const source = `(function (require, __dirname) {\n${program.toString('latin1')}\n})`;
  const script = new Script(source, { filename: file, lineOffset: -1, ...(cachedData && { cachedData }) });
  if (name !== undefined && script.cachedDataRejected !== false) {
    // At the end of the process, because only then the code holds all functions that were called.
    process.once('exit', () => writeKept(name, script.createCachedData()));
  }
  const main = script.runInThisContext() as (require: NodeJS.Require, directory: string) => void;
  main(require, __dirname);
}

/** Matches the options with which `send` sends more than once, mostly with the linux engine. */
const REPEATING = /^(-c|--(count|interval|duration|rate|replay))/;

/**
 * Returns the kind of a run, so that its kept code holds only the functions that such a run calls: the name of the
 * command, or `none`. A `send` of one datagram calls few functions, so a `send` of many has a kind of its own.
 */
function kindOf(argv: readonly string[]): string {
  const command = COMMAND_NAMES.find((name) => name === argv[2]) ?? 'none';
  return command === 'send' && argv.some((word) => REPEATING.test(word)) ? 'sendmany' : command;
}

try {
  launch();
} catch (error) {
  // For example, there are too few descriptors to read a file. Nagios takes status 1 for a warning and 3 for "unknown".
  const says = `cannot start: ${error instanceof Error ? error.message : String(error)}`;
  const isPlugin = process.argv.some((word) => /^(--exit-code=)?nagios$/.test(word));
  if (isPlugin) process.stdout.write(`UDPCAT UNKNOWN - ${says}\n`);
  else process.stderr.write(`udpcat: ${says}\n`);
  process.exitCode = isPlugin ? 3 : 1;
}
