import { promisify } from 'node:util';
import type { Family, Lookup } from '../net/index.js';
import type { Io } from './context.js';

/**
 * The program of the child. It calls `dns.lookup`, which asks the resolver of the system. Its arguments are the name and the
 * family. It ignores the signals that ask udpcat for a report: they may go to the whole process group, and would end it.
 */
const CHILD = `
  for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => undefined);
  const [name, family] = process.argv.slice(-2);
  require('node:dns').lookup(name, { all: true, family: Number(family), verbatim: true }, (error, found) => {
    process.stdout.write(JSON.stringify(error ? { code: error.code } : { found }));
  });
`;

/** The output of the child. */
interface LookupResult {
  readonly code?: string;
  readonly found?: readonly { readonly address: string }[];
}

/**
 * Makes a function that looks names up in a child process. The child is killed when the signal is aborted. A look-up in this
 * process cannot be stopped: if the resolver does not reply, the process could not end for ten seconds or more.
 *
 * `localhost` is always the loopback, without a look-up (RFC 6761 section 6.3).
 */
export function lookupInChild(
  { evaluate: [program, ...args], env }: Pick<Io, 'evaluate' | 'env'>,
  signal: AbortSignal,
): Lookup {
  return async (name, family) => {
    const loopback = loopbackOf(name, family);
    if (loopback !== undefined) return loopback;
    const { execFile } = await import('node:child_process');
    const { NODE_OPTIONS: _meantForThisProcess, ...childEnv } = env;
    const options = { signal, killSignal: 'SIGKILL', env: childEnv, windowsHide: true } as const;
    const { stdout } = await promisify(execFile)(program, [...args, CHILD, name, String(family)], options);
    const { code, found = [] } = JSON.parse(stdout) as LookupResult;
    if (code !== undefined) throw Object.assign(new Error(`getaddrinfo ${code} ${name}`), { code });
    return found;
  };
}

/** The addresses of `localhost` and the names below it; undefined for any other name. */
export function loopbackOf(name: string, family: Family | 0): readonly { readonly address: string }[] | undefined {
  if (!/^(.+\.)?localhost\.?$/i.test(name)) return undefined;
  return [...(family === 4 ? [] : [{ address: '::1' }]), ...(family === 6 ? [] : [{ address: '127.0.0.1' }])];
}
