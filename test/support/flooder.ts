import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { HANG_MS } from './limits.js';
import { hostAndPort, written } from './sockets.js';

/**
 * A program that floods the first sender, or the port whose number it reads from stdin, until nobody listens there. It
 * runs in a process of its own, because a flood would take all the time of the test's process.
 */
const PROGRAM = `
  const [, host, bytes] = process.argv;
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
    const begin = (port) => {
      socket.removeAllListeners('message');
      socket.connect(port, host, flood);
    };
    socket.once('message', (_, from) => begin(from.port));
    process.stdin.once('data', (port) => begin(Number(port)));
    console.log(socket.address().port);
  });`;

/** A flood of datagrams that ends when nobody listens any more. */
export interface Flooder extends AsyncDisposable {
  /** Its address: the first sender to it is flooded. */
  readonly address: string;
  /** Resolves when nobody listens any more. Rejects if the flood reached its limit of time. */
  readonly ended: Promise<void>;
  /** Floods a port of the same host, before anybody has sent. */
  flood(to: string): void;
}

/** Starts a program that is ready to flood. */
export async function startFlooder({
  bytes,
  host = '127.0.0.1',
}: {
  readonly bytes: number;
  readonly host?: string;
}): Promise<Flooder> {
  const child = spawn(process.execPath, ['-e', PROGRAM, host, String(bytes)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const ended = exited.then(([status]) => {
    if (status !== 0) throw new Error(`the flood from ${host} ended with ${status}`);
  });
  // A test that fails does not await `ended`: its rejection must not count as unhandled.
  ended.catch(() => undefined);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return {
    address: written(host, Number(line)),
    ended,
    flood: (to) => {
      child.stdin.write(String(hostAndPort(to).port));
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
