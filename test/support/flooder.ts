import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { HANG_MS } from './limits.js';
import { hostAndPort, written } from './sockets.js';

/**
 * A program that floods the port `to`, or else the first sender, until nobody listens there. It runs in a process of
 * its own, because a flood would take all the time of the test's process.
 */
const PROGRAM = `
  const [, host, bytes, to] = process.argv;
  const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const payload = require('node:crypto').randomBytes(Number(bytes));
  setTimeout(() => process.exit(1), ${HANG_MS}).unref();
  let gone = false;
  const flood = () => {
    if (gone) process.exit();
    let left = 32;
    for (let nth = 0; nth < 32; nth += 1) {
      socket.send(payload, (error) => {
        gone ||= error?.code === 'ECONNREFUSED';
        if ((left -= 1) === 0) setImmediate(flood);
      });
    }
  };
  socket.on('error', () => { gone = true; });
  socket.bind(0, host, () => {
    if (to !== undefined) return socket.connect(Number(to), host, flood);
    socket.once('message', (_, from) => socket.connect(from.port, from.address, flood));
    console.log(socket.address().port);
  });`;

/** A flood of datagrams that ends when nobody listens any more. */
export interface Flooder extends AsyncDisposable {
  /** Its address: the first sender to it is flooded. Empty if `to` was given. */
  readonly address: string;
  /** Resolves when nobody listens any more. Rejects if the flood reached its limit of time. */
  readonly ended: Promise<void>;
}

/** Starts a flood. `to` is the address to flood from the start. Default: the first sender. */
export async function startFlooder({
  bytes,
  to,
  host = '127.0.0.1',
}: {
  readonly bytes: number;
  readonly to?: string;
  readonly host?: string;
}): Promise<Flooder> {
  const args = to === undefined ? [host] : [hostAndPort(to).host];
  const port = to === undefined ? [] : [String(hostAndPort(to).port)];
  const child = spawn(process.execPath, ['-e', PROGRAM, ...args, String(bytes), ...port], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const ended = exited.then(([status]) => {
    if (status !== 0) throw new Error(`the flood of ${to ?? host} ended with ${status}`);
  });
  // A test that fails does not await `ended`: its rejection must not count as unhandled.
  ended.catch(() => undefined);
  let address = '';
  if (to === undefined) {
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    address = written(host, Number(line));
  }
  return {
    address,
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
