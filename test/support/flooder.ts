import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { hostAndPort, written } from './sockets.js';

/**
 * Floods whoever sends to it, or `to`, for as long as somebody listens there. It is a process of its own: a flood leaves
 * the test no time.
 */
const PROGRAM = `
  const [, host, bytes, to] = process.argv;
  const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const payload = require('node:crypto').randomBytes(Number(bytes));
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

/** A flood of datagrams that ends only when nobody listens any more. */
export interface Flooder extends AsyncDisposable {
  /** Its address; whoever sends there is flooded. Empty if it floods from the start. */
  readonly address: string;
  /** Whether it has ended, because its victim is gone. */
  readonly ended: Promise<void>;
}

/** Starts one. @param to the address to flood from the start. Default: whoever sends to it */
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
  const ended = once(child, 'exit').then(() => undefined);
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
      await ended;
    },
  };
}
