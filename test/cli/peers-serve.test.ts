/** Common programs as clients of `serve` and `echo`. */
import { describe, expect } from '@jest/globals';
import { testWith } from '../support/peers.js';
import { jsonLines } from '../support/service.js';
import { type Family, hostAndPort } from '../support/sockets.js';
import { quote, type Running, shell, start } from '../support/udpcat.js';

/** Command lines of clients that send stdin to an address by UDP, and write replies to stdout. */
const CLIENTS: Readonly<Record<string, (host: string, port: number, family: Family) => string>> = {
  nc: (host, port) => `nc -u ${host} ${port}`,
  ncat: (host, port, family) => `ncat -u -${family} ${host} ${port}`,
  socat: (host, port, family) => `socat - UDP${family}:${family === 6 ? `[${host}]` : host}:${port}`,
};

const cases = Object.entries(CLIENTS).flatMap(([program, line]) =>
  ([4, 6] as const).map((family) => ({ program, family, line })),
);

describe.each(cases)('$program as a client over IPv$family', ({ program, family, line }) => {
  const connect = (address: string): Running => {
    const { port } = hostAndPort(address);
    return shell(`exec ${line(family === 6 ? '::1' : '127.0.0.1', port, family)}`);
  };

  testWith(program, `gets its lines back from echo (${program}, IPv${family})`, async () => {
    await using running = start(['echo', `-${family}`, '-o', 'json', '-c', '2']);
    await using client = connect(await running.listening());
    client.stdin.write('hello\n');
    await client.until('hello\n');
    client.stdin.write('second\n');
    await client.until('second\n');
    const lines = jsonLines((await running.outcome).stdout);
    expect(lines.filter(({ type }) => type === 'datagram')).toMatchObject([{ data: 'hello\n' }, { data: 'second\n' }]);
    expect(lines.at(-1)).toMatchObject({ received: 2, sent: 2 });
  });

  testWith(program, `converses with serve on every interface (${program}, IPv${family})`, async () => {
    await using running = start(['serve', '*:0', '-i', '--reply', 'got it\n']);
    await using client = connect(await running.listening());
    client.stdin.write('anybody there?\n');
    await running.until('anybody there?\n');
    await client.until('got it\n');
    running.stdin.write('typed to you\n');
    await client.until('typed to you');
  });

  testWith(program, `does not disturb the server when it is gone (${program}, IPv${family})`, async () => {
    await using running = start(['serve', `-${family}`, '-i']);
    const address = await running.listening();
    const leaving = connect(address);
    leaving.stdin.write('leaving\n');
    await running.until('leaving\n');
    leaving.kill('SIGKILL');
    await leaving.outcome;
    // The client is gone. The kernel reports to the server that its responses are refused.
    running.stdin.write('are you there?\nare you?\n');
    await using staying = connect(address);
    staying.stdin.write('staying\n');
    await running.until('staying\n');
    running.stdin.write('you are\n');
    await staying.until('you are');
    running.kill('SIGTERM');
    expect(await running.outcome).toMatchObject({ status: 0, stdout: Buffer.from('leaving\nstaying\n') });
  });
});

testWith('nc', 'nc -u with stdin from a pipe sends one datagram to serve', async () => {
  await using running = start(['serve', '-c', '1', '-o', 'hex']);
  const { port } = hostAndPort(await running.listening());
  await using client = shell(`printf ${quote('a\\nb\\nc\\n')} | nc -u -w1 127.0.0.1 ${port}`);
  expect((await running.outcome).stdout.toString()).toBe('610a620a630a\n');
  await client.outcome;
});
