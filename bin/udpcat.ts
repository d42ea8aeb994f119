// This import comes first: until it runs, the signals can kill the process.
import './ignore-signals.js';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import { COMMAND_NAMES } from '../src/commands/names.js';
import { nameOf, readKept, writeKept } from './kept-code.js';

/**
 * Loads a file of this folder that is one function, with the compiled code that an earlier run has kept: compiling takes
 * longer than all the rest of a `send` of one datagram. Without kept code the function is compiled anew, and the code is
 * kept at the end.
 *
 * @returns the function
 */
function load(file: string): unknown {
  const filename = join(__dirname, file);
  // By path, because the archives of yarn have no descriptors that fstat(2) knows.
  const nameNow = (): string | undefined => nameOf(kindOf(process.argv), filename, statSync(filename));
  const before = nameNow();
  const source = readFileSync(filename);
  // Another file may have taken the path meanwhile. Then nothing is known of the file that was read.
  const name = nameNow() === before ? before : undefined;
  const cachedData = name && readKept(name);
  const script = new Script(source.toString('latin1'), { filename, ...(cachedData && { cachedData }) });
  if (name !== undefined && script.cachedDataRejected !== false) {
    // At the end of the process, because only then the code holds all functions that were called.
    process.once('exit', (status) => {
      if (status !== USAGE_ERROR) writeKept(name, script.createCachedData());
    });
  }
  return script.runInThisContext();
}

/** The exit status of a wrong command line. Such a run calls too few functions for its code to serve later runs. */
const USAGE_ERROR = 2;

/** Matches the options with which `send` sends more than once, mostly with the linux engine. */
const REPEATING = /^(-c|--(count|interval|duration|rate|replay))/;

/**
 * Returns the kind of a run, so that its kept code holds only the functions that such a run calls: the name of the
 * command, or `none`. A `send` of one datagram calls few functions, so a `send` of many has a kind of its own. The help of
 * every command is of the kind `help`.
 */
function kindOf(argv: readonly string[]): string {
  if (argv.some((word) => word === '-h' || word === '--help')) return 'help';
  const command = COMMAND_NAMES.find((name) => name === argv[2]) ?? 'none';
  return command === 'send' && argv.some((word) => REPEATING.test(word)) ? 'sendmany' : command;
}

try {
  const main = load('main.cjs') as (require: NodeJS.Require, directory: string, loader: typeof load) => void;
  main(require, __dirname, load);
} catch (error) {
  // For example, there are too few descriptors to read a file. Nagios takes status 1 for a warning and 3 for "unknown".
  const says = `cannot start: ${error instanceof Error ? error.message : String(error)}`;
  const isPlugin = process.argv.some((word) => /^(--exit-code=)?nagios$/.test(word));
  if (isPlugin) process.stdout.write(`UDPCAT UNKNOWN - ${says}\n`);
  else process.stderr.write(`udpcat: ${says}\n`);
  process.exitCode = isPlugin ? 3 : 1;
}
