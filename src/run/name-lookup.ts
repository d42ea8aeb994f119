import { promisify } from 'node:util';
import type { Lookup } from '../net/index.js';
import type { Io } from './context.js';

/**
 * What the child runs: `dns.lookup`, which asks the system's own resolver. Its arguments are the name and the family. What
 * asks for a report may be sent to the whole process group, and would kill it.
 */
const CHILD = `
  for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => undefined);
  const [, name, family] = process.argv;
  require('node:dns').lookup(name, { all: true, family: Number(family), verbatim: true }, (error, found) => {
    process.stdout.write(JSON.stringify(error ? { code: error.code } : { found }));
  });
`;

/** What it writes. */
interface Answer {
  readonly code?: string;
  readonly found?: readonly { readonly address: string }[];
}

/**
 * Looks names up in a child process, which is killed when the signal is aborted: a look-up in this one could not be
 * stopped, and the process would not end before a resolver that does not answer is given up, in ten seconds or more.
 * `localhost` is the loopback without asking anybody (RFC 6761 section 6.3).
 */
export function lookupInChild({ execPath, env }: Pick<Io, 'execPath' | 'env'>, signal: AbortSignal): Lookup {
  return async (name, family) => {
    if (/^(.+\.)?localhost\.?$/i.test(name)) {
      return [...(family === 4 ? [] : [{ address: '::1' }]), ...(family === 6 ? [] : [{ address: '127.0.0.1' }])];
    }
    const { execFile } = await import('node:child_process');
    const { NODE_OPTIONS: _meantForThisProcess, ...childEnv } = env;
    const options = { signal, killSignal: 'SIGKILL', env: childEnv, windowsHide: true } as const;
    const { stdout } = await promisify(execFile)(execPath, ['-e', CHILD, name, String(family)], options);
    const { code, found = [] } = JSON.parse(stdout) as Answer;
    if (code !== undefined) throw Object.assign(new Error(`getaddrinfo ${code} ${name}`), { code });
    return found;
  };
}
