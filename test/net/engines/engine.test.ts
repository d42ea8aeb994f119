import { describe, expect, test } from '@jest/globals';
import {
  type Datagram,
  DatagramSocket,
  type DatagramSocketOptions,
  openUdpConnection,
} from '../../../src/net/index.js';
import type { Engine, EngineSocket } from '../../../src/net/engines/engine.js';
import { nodeEngine } from '../../../src/net/engines/node/node-engine.js';
import { text } from '../../support/net.js';

/**
 * Makes an engine that leaves datagrams in the kernel. It wraps the node engine, delivers only as many datagrams as
 * there is room for, and keeps the others until `resume` is called.
 */
function patientEngine(): Engine & { readonly resumes: () => number; readonly kept: () => number } {
  const kept: Datagram[] = [];
  let resumes = 0;
  return {
    name: 'node',
    leavesInKernel: true,
    resumes: () => resumes,
    kept: () => kept.length,
    open: async (request, events) => {
      const give = (): void => {
        const room = Math.min(events.room(), kept.length);
        if (room > 0) events.datagrams(kept.splice(0, room));
      };
      const socket = await nodeEngine.open(request, {
        ...events,
        datagrams: (batch) => {
          kept.push(...batch);
          give();
        },
      });
      const patient: EngineSocket = {
        local: socket.local,
        buffers: socket.buffers,
        send: (batch) => socket.send(batch),
        poll: () => socket.poll(),
        kernelDropped: () => socket.kernelDropped(),
        kernelDropsAreLowerBound: false,
        missing: [],
        close: () => socket.close(),
        resume: () => {
          resumes += 1;
          give();
        },
      };
      return patient;
    },
  };
}

class PatientSocket extends DatagramSocket {
  static async start(engine: Engine, options: DatagramSocketOptions): Promise<PatientSocket> {
    const socket = new PatientSocket(options);
    const local = { address: '127.0.0.1', port: 0 };
    await socket.open({ local, dualStack: false, hearStrays: false, options }, {}, engine);
    return socket;
  }

  one(): Promise<Datagram | undefined> {
    return this.take();
  }
}

describe('an engine that reads only what the queue has room for', () => {
  test('is resumed when a full queue has room again, so that nothing is dropped and nothing is left', async () => {
    const engine = patientEngine();
    await using server = await PatientSocket.start(engine, { maxReadQueue: 5 });
    await using client = await openUdpConnection(server.local);
    const payloads = Array.from({ length: 100 }, (_, nth) => Buffer.from(String(nth)));
    await client.sendBatch(payloads);
    while (server.queued + engine.kept() < 100) await server.poll();
    expect([server.queued, engine.kept()]).toEqual([5, 95]);
    const read: string[] = [];
    for (let nth = 0; nth < 50; nth += 1) {
      const datagram = await server.one();
      read.push(text(datagram!.data));
    }
    for await (const batch of server.batches()) {
      read.push(...batch.map(({ data }) => text(data)));
      if (read.length === 100) break;
    }
    expect(read).toEqual(payloads.map(String));
    expect(server.dropped).toBe(0);
    expect(engine.resumes()).toBeGreaterThan(10);
  });

  test('is not resumed after the end', async () => {
    const engine = patientEngine();
    const server = await PatientSocket.start(engine, { maxReadQueue: 1 });
    await using client = await openUdpConnection(server.local);
    await client.sendBatch([Buffer.from('a'), Buffer.from('b')]);
    while (server.queued + engine.kept() < 2) await server.poll();
    server.close();
    await server.waitClosed();
    expect(text((await server.one())!.data)).toBe('a');
    expect(await server.one()).toBeUndefined();
    expect(engine.resumes()).toBe(0);
  });
});
