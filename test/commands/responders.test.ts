import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { runInProcess } from '../support/in-process.js';
import { jsonLines } from '../support/service.js';
import { type Family, type Peer, silentServer, written } from '../support/sockets.js';

/** A server whose datagrams are also answered by two other sockets. */
async function openResponders(family: Family): Promise<readonly Peer[] & AsyncDisposable> {
  const front = await silentServer(family);
  const all = [front, await silentServer(family), await silentServer(family)];
  front.socket.on('message', (data, { address, port }) => {
    for (const responder of all) void responder.send(data, written(address, port));
  });
  const dispose = async (): Promise<void> => {
    for (const responder of all) await responder[Symbol.asyncDispose]();
  };
  return Object.assign(all, { [Symbol.asyncDispose]: dispose });
}

const CASES = ENGINE_NAMES.flatMap((engine) => ([4, 6] as const).map((family) => ({ engine, family })));

describe.each(CASES)('several responders, $engine engine, IPv$family', ({ engine, family }) => {
  test('stand in the summary, each with its replies and its round-trip time', async () => {
    await using all = await openResponders(family);
    const addresses = all.map(({ address }) => address).toSorted();
    const args = ['who?', '--any-source', '-n', '3', '-w', '10m', '--engine', engine, '-o', 'json', '--stats'];
    const { ending, stdout, stderr } = await runInProcess(['send', all[0]!.address, ...args]);
    expect(ending).toBe(0);
    const { responders } = jsonLines(stdout).at(-1) as {
      readonly responders?: readonly { readonly address: string }[];
    };
    expect(responders?.map(({ address }) => address).toSorted()).toEqual(addresses);
    for (const responder of responders ?? [])
      expect(responder).toMatchObject({ replies: 1, rttMs: expect.any(Number) as unknown });
    for (const address of addresses) expect(stderr).toContain(`from ${address}: 1 reply in `);
  });

  test('have all their replies to several requests', async () => {
    await using all = await openResponders(family);
    const addresses = all.map(({ address }) => address).toSorted();
    const stop = new AbortController();
    const onStderr = (text: string): void => {
      if ((text.match(/ replied with 32 bytes/g) ?? []).length >= 9) stop.abort('SIGTERM');
    };
    const args = ['--size', '32', '-c', '3', '--interval', '1ms', '--any-source', '-n', 'all', '-w', '10m'];
    const { stdout } = await runInProcess(['send', all[0]!.address, ...args, '--engine', engine, '-o', 'json', '-v'], {
      stop: stop.signal,
      onStderr,
    });
    expect(jsonLines(stdout).at(-1)?.['responders']).toEqual(
      expect.arrayContaining(addresses.map((address) => ({ address, replies: 3, rttMs: expect.any(Number) }))),
    );
  });
});

test('a peer that alone may reply is no entry, and nobody is an empty list', async () => {
  await using server = await silentServer();
  server.socket.on('message', (data, { address, port }) => void server.send(data, written(address, port)));
  const alone = await runInProcess(['send', server.address, 'who?', '-n', '1', '-w', '10m', '-o', 'json']);
  expect(jsonLines(alone.stdout).at(-1)).not.toHaveProperty('responders');
  await using silent = await silentServer();
  const nobody = await runInProcess(['send', silent.address, 'who?', '--any-source', '-w', '1ms', '-o', 'json']);
  expect(jsonLines(nobody.stdout).at(-1)).toMatchObject({ responders: [] });
});
