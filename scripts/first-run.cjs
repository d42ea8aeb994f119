#!/usr/bin/env node
// Stands in for dist/bin/udpcat.cjs where dist is not current when `npx udpcat` installs the clone: see scripts/build.mjs.
// It builds dist, which replaces this file, and runs the command.
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const script = join(__dirname, '..', '..', 'scripts', 'build.mjs');
// stdout is for data.
const { status, signal } = spawnSync(process.execPath, [script, '--if-changed'], { stdio: ['ignore', 2, 2] });
if (signal !== null) process.kill(process.pid, signal);
else if (status !== 0) process.exitCode = status;
else {
  delete require.cache[__filename];
  require(__filename);
}
