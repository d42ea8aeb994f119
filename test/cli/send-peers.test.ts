import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { describeWith } from '../support/peers.js';
import { closedPort, type Family, written } from '../support/sockets.js';
import { type Outcome, start, udpcat } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

interface Program extends AsyncDisposable {
  /** The address that it listens on. */
  readonly address: string;
  readonly stdin: Writable;
  /** Resolves when its stdout holds the text. */
  shows(text: string): Promise<void>;
}

/** Whether a socket is bound to the port. These programs do not tell when they listen. */
function isBound(port: number, family: Family): boolean {
  const local = RegExp(`^ *\\d+: [0-9A-F]+:${port.toString(16).toUpperCase().padStart(4, '0')} `, 'm');
  return local.test(readFileSync(family === 4 ? '/proc/net/udp' : '/proc/net/udp6', 'utf8'));
}

/** Starts a program on a port that was free a moment ago. */
async function listening(family: Family, command: (port: string) => readonly string[]): Promise<Program> {
  const port = await closedPort(family);
  const [program = '', ...args] = command(String(port));
  // In a process group of its own: these programs start others, which would outlive them.
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const exited = once(child, 'exit');
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    child.emit('output');
  });
  while (!isBound(port, family)) {
    if (child.exitCode !== null) throw new Error(`${program} ended before it listened`);
    await delay(10);
  }
  return {
    address: written(family === 4 ? '127.0.0.1' : '::1', port),
    stdin: child.stdin,
    shows: async (text) => {
      while (!output.includes(text)) await once(child, 'output');
    },
    [Symbol.asyncDispose]: async () => {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
      child.stdin.destroy();
      child.stdout.destroy();
      await exited;
    },
  };
}

function shown({ status, stdout }: Outcome): { status: number | null; stdout: string } {
  return { status, stdout: stdout.toString() };
}

const families = [4, 6] as const;
const loopback = { 4: '127.0.0.1', 6: '::1' } as const;

describeWith('nc', 'send to nc -u -l', () => {
  testWithProc.each(families)('over IPv%d is shown, and what is typed there is the reply', async (family) => {
    await using nc = await listening(family, (port) => ['nc', '-u', '-l', loopback[family], port]);
    await using running = start(['send', nc.address, 'question', '-n', '1', '-w', '1m']);
    await nc.shows('question');
    nc.stdin.write('answer\n');
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'answer\n' });
  });
});

describeWith('ncat', 'send to ncat -u -l --exec cat', () => {
  testWithProc.each(families)('over IPv%d is answered', async (family) => {
    await using ncat = await listening(family, (port) => [
      ...['ncat', `-${family}`, '-u', '-l', loopback[family], port, '--keep-open', '--exec', '/bin/cat'],
    ]);
    for (const message of ['one', 'two\nlines']) {
      const outcome = await udpcat(['send', ncat.address, message, '--expect-exact', message, '-w', '1m']);
      expect(shown(outcome)).toEqual({ status: 0, stdout: `${message}\n` });
    }
  });
});

describeWith('socat', 'send to socat', () => {
  const echoes: [name: string, address: (port: string, family: Family) => string, action: string][] = [
    ['UDP-LISTEN and PIPE', (port, family) => `UDP${family}-LISTEN:${port},fork`, 'PIPE'],
    ['UDP-LISTEN and EXEC', (port, family) => `UDP${family}-LISTEN:${port},fork`, 'EXEC:/bin/cat'],
    ['UDP-RECVFROM and EXEC', (port, family) => `UDP${family}-RECVFROM:${port},fork`, 'EXEC:/bin/cat'],
  ];
  const each = families.flatMap((family) => echoes.map((row) => [row[0], family, row[1], row[2]] as const));

  testWithProc.each(each)('%s over IPv%d is answered', async (_name, family, address, action) => {
    const bind = `bind=${family === 4 ? '127.0.0.1' : '[::1]'}`;
    await using socat = await listening(family, (port) => ['socat', `${address(port, family)},${bind}`, action]);
    for (const message of ['one', 'two\nlines']) {
      const outcome = await udpcat(['send', socat.address, message, '--expect-exact', message, '-w', '1m']);
      expect(shown(outcome)).toEqual({ status: 0, stdout: `${message}\n` });
    }
  });

  testWithProc.each(families)('UDP-RECV over IPv%d gets every line', async (family) => {
    const bind = `bind=${family === 4 ? '127.0.0.1' : '[::1]'}`;
    await using socat = await listening(family, (port) => [
      'socat',
      '-u',
      `UDP${family}-RECV:${port},${bind}`,
      'STDOUT',
    ]);
    expect(await udpcat(['send', socat.address], { stdin: '<one>\n<two>' })).toMatchObject({ status: 0, stderr: '' });
    await socat.shows('<one><two>');
  });
});
