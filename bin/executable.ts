/**
 * The program of a single executable, which scripts/executable.mjs makes. `process.execPath` is udpcat there, so the
 * programs that udpcat runs in a new process are run by udpcat, too: see `Io.evaluate`.
 */
// This import comes first: until it runs, the signals can kill the process.
import './ignore-signals.js';
import { Script } from 'node:vm';
import { EVALUATE } from './evaluation.js';

const [, , first, program] = process.argv;
if (first === EVALUATE && program !== undefined) {
  // As with `node -e`, the arguments of the program follow the path of the executable.
  process.argv.splice(1, 3);
  const run = new Script(`(function (require) {\n${program}\n})`).runInThisContext() as (require: unknown) => void;
  run(require);
} else {
  void import('./main.js');
}
