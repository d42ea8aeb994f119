/** Ends processes with open sockets of the linux engine, and asks for that engine in worker threads. */
import { expect, test } from '@jest/globals';
import { describeLinuxEngine } from '../support/engines.js';
import { bundledNet } from '../support/module-in-network.js';
import { runModule } from '../support/module.js';

/** A crash does not come in each round, so several are needed. */
const ROUNDS = 8;

/** Opens two sockets that echo a datagram to each other without end. */
const traffic = (engine: string): string => `
  const server = await net.startUdpServer('127.0.0.1:0', { engine: '${engine}' });
  const client = await net.openUdpConnection(server.local, { engine: '${engine}' });
  const flood = Array(64).fill(Buffer.alloc(100));
  const echo = async () => {
    for await (const batch of server.batches()) await server.sendBatch(batch);
  };
  const heard = new Promise((resolve) => {
    const hear = async () => {
      for await (const batch of client.batches()) {
        resolve();
        await client.sendBatch(flood);
      }
    };
    void hear().catch(() => undefined);
  });
  void echo().catch(() => undefined);
  await client.sendBatch(flood);
  await heard;
`;

describeLinuxEngine('in the main thread, the linux engine', () => {
  test('ends with the process, whoever ends it, under traffic too', async () => {
    for (const end of [
      'process.exit(0)',
      "process.kill(process.pid, 'SIGTERM')",
      'setImmediate(() => process.exit(0))',
    ]) {
      for (let round = 0; round < ROUNDS; round += 1) {
        const body = `${traffic('linux')} process.stdout.write('exits', () => ${end});`;
        if (end.includes('SIGTERM')) await expect(runModule(body)).rejects.toMatchObject({ signal: 'SIGTERM' });
        else expect(await runModule(body)).toBe('exits');
      }
    }
  });
});

describeLinuxEngine('in a worker thread, the linux engine', () => {
  const why = 'the linux engine is not available: it runs in the main thread only, and this is a worker thread';

  /** Starts a process that runs `body` in a worker thread and, at its first message, `then` in the main thread. */
  const runWorker = async (body: string, then: string): Promise<string> => {
    const worker = `
      const { parentPort } = require('node:worker_threads');
      import(${JSON.stringify(await bundledNet())}).then(async (net) => {${body}});
    `;
    return runModule(`
      const { Worker } = await import('node:worker_threads');
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true, execArgv: [] });
      worker.once('message', async (message) => {${then}});
    `);
  };

  test('is an error that says why, and auto takes the node engine and knows why', async () => {
    const body = `
      const linux = await net.startUdpServer('127.0.0.1:0', { engine: 'linux' }).catch((error) => error);
      const auto = await net.startUdpServer('127.0.0.1:0', { engine: 'auto' });
      parentPort.postMessage([linux.code, linux.message, auto.engine, auto.engineUnavailable?.message]);
      auto.close();
    `;
    const found = await runWorker(body, 'process.stdout.write(JSON.stringify(message));');
    expect(JSON.parse(found)).toEqual(['UNSUPPORTED', why, 'node', why]);
  });

  const sockets = [
    ['idle', "await net.startUdpServer('127.0.0.1:0', { engine: 'auto' });"],
    ['under traffic', traffic('auto')],
  ] as const;
  const ends = [
    ['the thread is terminated', "await worker.terminate(); process.stdout.write('exits');"],
    ['the process ends', "process.stdout.write('exits', () => process.exit(0));"],
  ] as const;
  for (const [how, open] of sockets) {
    for (const [when, end] of ends) {
      const name = `leaves it to auto, whose sockets do no harm, ${how}, when ${when}`;
      const run = async (): Promise<void> => {
        for (let round = 0; round < ROUNDS; round += 1) {
          expect(await runWorker(`${open} parentPort.postMessage('ready');`, end)).toBe('exits');
        }
      };
      // Node 20 aborts when a thread is terminated in UDPWrap::OnRecv. Node 22 does not.
      const crashes = how === 'under traffic' && process.version.startsWith('v20.');
      if (crashes) test.skip(`${name} (skipped: node:dgram of Node 20 crashes there)`, run);
      else test(name, run);
    }
  }

  test('of the main thread goes on when the thread ends', async () => {
    const then = `
      const net = await import(${JSON.stringify(await bundledNet())});
      const server = await net.startUdpServer('127.0.0.1:0', { engine: 'linux' });
      await worker.terminate();
      await server.sendto('still here', server.local);
      process.stdout.write((await server.recvfrom()).data);
      server.close();
    `;
    expect(await runWorker("parentPort.postMessage('ready');", then)).toBe('still here');
  });
});
