// Runs before the code of the instrumented command. It saves the counters whenever the command ends, except by SIGKILL.
/* global COVERAGE_FOLDER -- scripts/coverage.mjs writes it before this */
{
  const { randomUUID } = require('node:crypto');
  const { writeFileSync } = require('node:fs');
  const { join } = require('node:path');

  // One file for each process. Each call replaces it, because the counters only grow.
  const file = join(COVERAGE_FOLDER, `${randomUUID()}.json`);
  const keep = () => {
    const counters = {};
    for (const [path, { s, f, b }] of Object.entries(globalThis.__coverage__ ?? {})) counters[path] = { s, f, b };
    writeFileSync(file, JSON.stringify(counters));
  };
  process.on('exit', keep);

  // A command that ends by a signal sends the signal to itself. Then there is no 'exit' event.
  const kill = process.kill;
  process.kill = (pid, signal) => {
    if (pid === process.pid && signal !== 0) keep();
    return kill.call(process, pid, signal);
  };
  const abort = process.abort;
  process.abort = () => {
    keep();
    abort.call(process);
  };
}
