import type { ChildProcess } from 'node:child_process';
import type { Lookup } from '../net/index.js';
import { loopbackOf } from '../run/name-lookup.js';
import type { Io } from '../run/context.js';

/** The number of names that the child looks up at a time. Node has 4 threads for this by default. */
const THREADS = 64;

/**
 * The child's program: each line of its stdin is a request, each line of its stdout the response. It ends with its stdin.
 * It ignores signals: they may go to the whole process group, and the parent decides what they mean.
 */
const CHILD = `
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
  const { lookup } = require('node:dns');
  const lines = require('node:readline').createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { id, name, family } = JSON.parse(line);
    lookup(name, { all: true, family, verbatim: true }, (error, found) => {
      process.stdout.write(JSON.stringify(error ? { id, code: error.code } : { id, found }) + '\\n');
    });
  });
  lines.on('close', () => process.exit());
`;

/** A line that the child writes. */
interface Response {
  readonly id: number;
  readonly code?: string;
  readonly found?: readonly { readonly address: string }[];
}

interface Request {
  readonly name: string;
  readonly resolve: (found: readonly { readonly address: string }[]) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Looks names up in one child process, which starts with the first name. A look-up in this process could not be stopped: the
 * process would not end before a resolver that does not respond is given up, in ten seconds or more.
 */
export class Resolver implements Disposable {
  readonly #io: Pick<Io, 'evaluate' | 'env'>;
  readonly #requests = new Map<number, Request>();
  #starting: Promise<ChildProcess> | undefined;
  #lastId = 0;
  #ended = false;

  constructor(io: Pick<Io, 'evaluate' | 'env'>) {
    this.#io = io;
  }

  /** Asks the system's resolver. `localhost` is the loopback without asking anybody (RFC 6761 section 6.3). */
  readonly lookup: Lookup = async (name, family) => {
    const loopback = loopbackOf(name, family);
    if (loopback !== undefined) return loopback;
    const child = await (this.#starting ??= this.#start());
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      this.#requests.set(this.#lastId, { name, resolve, reject });
      child.stdin?.write(`${JSON.stringify({ id: this.#lastId, name, family })}\n`);
    });
  };

  async #start(): Promise<ChildProcess> {
    const [{ spawn }, { createInterface }] = await Promise.all([import('node:child_process'), import('node:readline')]);
    if (this.#ended) throw new Error('no name is looked up any more');
    const { NODE_OPTIONS: _meantForThisProcess, ...inherited } = this.#io.env;
    const env = { ...inherited, UV_THREADPOOL_SIZE: String(THREADS) };
    const [program, ...args] = this.#io.evaluate;
    const child = spawn(program, [...args, CHILD], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
    });
    const gone = (error: Error): void => {
      // The next name starts another.
      this.#starting = undefined;
      const waiting = [...this.#requests.values()];
      this.#requests.clear();
      for (const { reject } of waiting) reject(error);
    };
    child.once('error', gone);
    child.once('exit', () => {
      gone(new Error('the process that looks names up has ended'));
    });
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#take(JSON.parse(line) as Response);
    });
    return child;
  }

  #take({ id, code, found = [] }: Response): void {
    const request = this.#requests.get(id);
    this.#requests.delete(id);
    if (code === undefined) request?.resolve(found);
    else request?.reject(Object.assign(new Error(`getaddrinfo ${code} ${request.name}`), { code }));
  }

  /** Ends the child. Look-ups under way reject. */
  [Symbol.dispose](): void {
    this.#ended = true;
    void this.#starting?.then((child) => child.kill('SIGKILL')).catch(() => undefined);
  }
}
