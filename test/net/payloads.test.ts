/** Payloads: text and each kind of memory are sent as their bytes. Any other value is refused, and nothing is sent. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { type Outgoing, type Payload, type SendFailure } from '../../src/net/index.js';
import { describeEngines } from '../support/engines.js';
import { bundledNet } from '../support/module-in-network.js';
import { datagramError, text } from '../support/net.js';
import { fc, holdsAsync } from '../support/property.js';

/** Fills a buffer of 16 bytes with the numbers 0 to 15. */
function sixteen<Kind extends ArrayBufferLike>(buffer: Kind): Kind {
  new Uint8Array(buffer).set(Array.from({ length: 16 }, (_, nth) => nth));
  return buffer;
}

const kept = (): ArrayBuffer => sixteen(new ArrayBuffer(16));
const shared = (): SharedArrayBuffer => sixteen(new SharedArrayBuffer(16));
const ALL = Array.from({ length: 16 }, (_, nth) => nth);

const PAYLOADS: readonly [title: string, make: () => Payload, bytes: readonly number[]][] = [
  ['text', () => 'é\u{1f600}', [0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80]],
  ['empty text', () => '', []],
  ['a Buffer', () => Buffer.from(kept()), ALL],
  ['a Buffer from the pool', () => Buffer.from([7, 8, 9]), [7, 8, 9]],
  ['a part of a Buffer', () => Buffer.from(kept()).subarray(4, 6), [4, 5]],
  ['a Uint8Array', () => new Uint8Array(kept(), 1, 3), [1, 2, 3]],
  ['an empty Uint8Array', () => new Uint8Array(0), []],
  ['a Uint8ClampedArray', () => new Uint8ClampedArray(kept(), 2, 2), [2, 3]],
  ['an Int8Array', () => new Int8Array(kept(), 15), [15]],
  ['a Uint16Array', () => new Uint16Array(kept(), 2, 2), [2, 3, 4, 5]],
  ['an Int16Array', () => new Int16Array(kept(), 14), [14, 15]],
  ['a Uint32Array', () => new Uint32Array(kept(), 4, 1), [4, 5, 6, 7]],
  ['an Int32Array', () => new Int32Array(kept(), 12), [12, 13, 14, 15]],
  ['a Float32Array', () => new Float32Array(kept(), 0, 1), [0, 1, 2, 3]],
  ['a Float64Array', () => new Float64Array(kept(), 8), ALL.slice(8)],
  ['a BigInt64Array', () => new BigInt64Array(kept(), 0, 1), ALL.slice(0, 8)],
  ['a BigUint64Array', () => new BigUint64Array(kept()), ALL],
  ['a DataView', () => new DataView(kept(), 3, 4), [3, 4, 5, 6]],
  ['an empty DataView', () => new DataView(kept(), 16), []],
  ['an ArrayBuffer', kept, ALL],
  ['an empty ArrayBuffer', () => new ArrayBuffer(0), []],
  ['a SharedArrayBuffer', shared, ALL],
  ['a Uint8Array of shared memory', () => new Uint8Array(shared(), 5, 2), [5, 6]],
  ['a Uint16Array of shared memory', () => new Uint16Array(shared(), 4, 1), [4, 5]],
  ['a DataView of shared memory', () => new DataView(shared(), 1, 2), [1, 2]],
  ['an ArrayBuffer that can be resized', () => resizable(4), [0, 0, 0, 0]],
];

function resizable(bytes: number): ArrayBuffer & { resize(bytes: number): void } {
  const Resizable = ArrayBuffer as unknown as new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;
  return new Resizable(bytes, { maxByteLength: 64 }) as ArrayBuffer & { resize(bytes: number): void };
}

const WRONG: readonly [title: string, value: unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['NaN', NaN],
  ['a bigint', 2n ** 62n],
  ['a boolean', true],
  ['a symbol', Symbol('payload')],
  ['a function', () => 'x'],
  ['an object', { length: 4 }],
  ['an array of numbers', [1, 2, 3]],
  ['an array of buffers', [Buffer.from('a'), Buffer.from('b')]],
  ['a boxed text', Object('text')],
  ['a Blob', new Blob(['x'])],
  ['a Date', new Date(0)],
  ['a Map', new Map()],
  ['an object that claims to be a Uint8Array', Object.create(Uint8Array.prototype)],
  ['a proxy of a Uint8Array', new Proxy(new Uint8Array(3), {})],
];

/** Detaches a buffer: all views of it become empty. */
function detach(buffer: ArrayBuffer): void {
  structuredClone(buffer, { transfer: [buffer] });
}

const DETACHED: readonly [title: string, of: (buffer: ArrayBuffer) => Payload][] = [
  ['an ArrayBuffer', (buffer) => buffer],
  ['a Uint8Array', (buffer) => new Uint8Array(buffer)],
  ['an empty Uint8Array', (buffer) => new Uint8Array(buffer, 8)],
  ['a Buffer', (buffer) => Buffer.from(buffer)],
  ['a Float64Array', (buffer) => new Float64Array(buffer)],
  ['a DataView', (buffer) => new DataView(buffer)],
];

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  describe.each(['127.0.0.1:0', '[::1]:0'])('at %s', (address) => {
    test.each(PAYLOADS)('%s is sent as its bytes, by each way to send', async (_title, make, bytes) => {
      await using server = await startUdpServer(address);
      await using other = await startUdpServer(address);
      await using client = await openUdpConnection(server.local);
      await client.send(make());
      expect(await client.sendBatch([make(), make()])).toEqual([]);
      await other.sendto(make(), server.local);
      expect(await other.sendBatch([{ data: make(), remote: server.local }])).toEqual([]);
      for (let nth = 0; nth < 5; nth += 1) {
        const { data } = await server.recvfrom();
        expect([...data]).toEqual(bytes);
      }
    });

    test('any part of any memory is sent as its bytes', async () => {
      await using server = await startUdpServer(address);
      await using client = await openUdpConnection(server.local);
      const kinds = [Uint8Array, Int16Array, Float32Array, BigUint64Array];
      await holdsAsync(
        fc.asyncProperty(
          fc.uint8Array({ maxLength: 200 }),
          fc.constantFrom(...kinds),
          fc.nat(9),
          fc.boolean(),
          async (bytes, Kind, skipped, isShared) => {
            const size = Kind.BYTES_PER_ELEMENT;
            const buffer = isShared ? new SharedArrayBuffer(512) : new ArrayBuffer(512);
            const offset = skipped * size;
            const length = Math.floor(bytes.length / size);
            new Uint8Array(buffer, offset).set(bytes);
            await client.send(new Kind(buffer as ArrayBuffer, offset, length));
            const { data } = await server.recvfrom();
            expect([...data]).toEqual([...bytes.subarray(0, length * size)]);
          },
        ),
      );
    });
  });

  describe('what is no payload', () => {
    test.each(WRONG)('%s is INVALID_PAYLOAD before anything is sent', async (_title, value) => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using other = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      const bad = value as Payload;
      const remote = server.local;
      const attempts = [
        client.send(bad),
        client.sendBatch(['never sent', bad]),
        other.sendto(bad, remote),
        other.sendBatch([
          { data: 'never sent', remote },
          { data: bad, remote },
        ]),
      ];
      for (const attempt of attempts) {
        const error = await datagramError(attempt);
        expect(error.code).toBe('INVALID_PAYLOAD');
        expect(error.message).toContain('must be text, a Buffer or another view of memory');
      }
      await client.send('from the client');
      await other.sendto('from the server', remote);
      const received = [text((await server.recvfrom()).data), text((await server.recvfrom()).data)];
      expect(received).toEqual(['from the client', 'from the server']);
    });

    test('is named by its place in a batch', async () => {
      await using client = await openUdpConnection('127.0.0.1:9');
      const error = await datagramError(client.sendBatch(['a', 'b', 5 as never]));
      expect(error.message).toMatch(/^payload 2 must be .*, not 5$/);
    });

    test('a hole in a batch is none', async () => {
      await using client = await openUdpConnection('127.0.0.1:9');
      const batch: Payload[] = ['a'];
      batch[2] = 'c';
      expect((await datagramError(client.sendBatch(batch))).code).toBe('INVALID_PAYLOAD');
    });
  });

  describe('detached memory', () => {
    test.each(DETACHED)('of %s is INVALID_PAYLOAD, and later sends work', async (_title, of) => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      const buffer = new ArrayBuffer(8);
      const payload = of(buffer);
      detach(buffer);
      for (const attempt of [client.send(payload), client.sendBatch([payload]), server.sendto(payload, client.local)]) {
        expect(await datagramError(attempt)).toMatchObject({
          code: 'INVALID_PAYLOAD',
          message: expect.stringContaining('was detached') as unknown,
        });
      }
      await client.send('good');
      expect(text((await server.recvfrom()).data)).toBe('good');
    });

    test('is noticed in a batch that was sent before', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      const buffer = new ArrayBuffer(8);
      const batch = [new Uint8Array(buffer), Buffer.from('other')];
      expect(await client.sendBatch(batch)).toEqual([]);
      detach(buffer);
      expect((await datagramError(client.sendBatch(batch))).code).toBe('INVALID_PAYLOAD');
      expect([(await server.recvfrom()).data.length, (await server.recvfrom()).data.length]).toEqual([8, 5]);
      expect(server.queued).toBe(0);
    });

    /** More payloads than the engines send in one round of the event loop, so that later datagrams have to wait. */
    const MANY = Array.from({ length: 100 }, (_, nth) => Buffer.alloc(nth + 1));

    const CHANGES: readonly [title: string, make: () => { payload: Payload; change: () => void }][] = [
      [
        'detached',
        () => {
          const buffer = new ArrayBuffer(8);
          return { payload: new Uint8Array(buffer), change: () => detach(buffer) };
        },
      ],
      [
        'detached, as a DataView',
        () => {
          const buffer = new ArrayBuffer(8);
          return { payload: new DataView(buffer), change: () => detach(buffer) };
        },
      ],
      [
        'made smaller, as an ArrayBuffer',
        () => {
          const buffer = resizable(8);
          return { payload: buffer, change: () => buffer.resize(3) };
        },
      ],
      [
        'made smaller, as a view that follows its size',
        () => {
          const buffer = resizable(8);
          return { payload: new Uint8Array(buffer), change: () => buffer.resize(3) };
        },
      ],
      [
        'emptied, as a part of it',
        () => {
          const buffer = resizable(8);
          return { payload: new Uint8Array(buffer, 2, 4), change: () => buffer.resize(0) };
        },
      ],
    ];

    test.each(CHANGES)('while a send waits (%s) fails that send only, and the close ends', async (_title, make) => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      const { payload, change } = make();
      const before = client.sendBatch(MANY);
      const single = datagramError(client.send(payload));
      const batch = client.sendBatch(['first', payload, 'last']);
      const after = client.send('after');
      change();
      expect(await before).toEqual([]);
      const error = await single;
      expect(error).toMatchObject({ code: 'INVALID_PAYLOAD', peer: server.local });
      expect(error.message).toContain('while it waited');
      const failures: readonly SendFailure[] = await batch;
      expect(failures.map(({ index, error: { code } }) => [index, code])).toEqual([[1, 'INVALID_PAYLOAD']]);
      await after;
      client.close();
      await client.waitClosed();
      const received: string[] = [];
      while (received.at(-1) !== 'after') received.push(text((await server.recvfrom()).data));
      expect(received.slice(MANY.length)).toEqual(['first', 'last', 'after']);
    });

    test('while a name is looked up fails that send only', async () => {
      await using peer = await startUdpServer('127.0.0.1:0');
      let answer!: (found: { address: string }[]) => void;
      const lookup = (): Promise<{ address: string }[]> => new Promise((resolve) => (answer = resolve));
      await using server = await startUdpServer('127.0.0.1:0', { lookup });
      const buffer = new ArrayBuffer(8);
      const waiting = datagramError(server.sendto(buffer, `name.test:${peer.local.port}`));
      detach(buffer);
      answer([{ address: '127.0.0.1' }]);
      expect((await waiting).code).toBe('INVALID_PAYLOAD');
      await server.sendto('good', peer.local);
      expect(text((await peer.recvfrom()).data)).toBe('good');
    });
  });

  test('a batch of thousands with bad payloads in it sends nothing', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    const remote = server.local;
    const batch: Outgoing<Payload>[] = Array.from({ length: 5000 }, () => ({ data: 'x', remote }));
    batch.push({ data: null as never, remote });
    expect((await datagramError(server.sendBatch(batch))).message).toMatch(/^payload 5000 must be .*, not null$/);
    await server.poll();
    expect(server.queued).toBe(0);
  });

  // In a process of its own: in this one jest handles uncaught exceptions.
  test.each(['peerError', 'drop', 'strays', 'onArrivals'])(
    'an exception of a listener for %s is the process’s, and the socket goes on',
    async (event) => {
      const program = `
        import * as net from ${JSON.stringify(await bundledNet())};
        const engine = ${JSON.stringify(engine)};
        const event = ${JSON.stringify(event)};
        const caught = new Promise((resolve) => process.on('uncaughtException', resolve));
        const listener = () => { throw new Error('by the listener'); };
        const peer = await net.startUdpServer('127.0.0.1:0', { engine });
        let tell;
        if (event === 'peerError') {
          const closed = await net.startUdpServer('127.0.0.1:0', { engine });
          closed.close();
          await closed.waitClosed();
          const client = await net.openUdpConnection(closed.local, { engine });
          client.on(event, listener);
          tell = async () => {
            await client.send('refused');
            // A pending ICMP error is reported in the middle of the next batch.
            await client.sendBatch(Array.from({ length: 200 }, (_, nth) => Buffer.alloc(nth)));
            await client.send('again');
            return client;
          };
        } else if (event === 'strays') {
          const client = await net.openUdpConnection(peer.local, { engine, strays: 'report' });
          client.on(event, listener);
          tell = async () => {
            const stranger = await net.startUdpServer('127.0.0.1:0', { engine });
            await stranger.sendto('stray', client.local);
            stranger.close();
            await caught;
            await client.send('question');
            const { remote } = await peer.recvfrom();
            await peer.sendto('answer', remote);
            if (String(await client.recv()) !== 'answer') throw new Error('another answer');
            return client;
          };
        } else {
          const options = event === 'drop'
            ? { engine, maxReadQueue: 1, overflow: 'drop-oldest' }
            : { engine, onArrivals: listener };
          const server = await net.startUdpServer('127.0.0.1:0', options);
          if (event === 'drop') server.on(event, listener);
          tell = async () => {
            await peer.sendBatch(['a', 'b', 'c'].map((data) => ({ data, remote: server.local })));
            await caught;
            for (let last = event === 'drop' ? '' : 'c'; last !== 'c';) last = String((await server.recvfrom()).data);
            await server.sendto('still', peer.local);
            await peer.recvfrom();
            return server;
          };
        }
        const told = await tell();
        const { message } = await caught;
        told.close();
        await told.waitClosed();
        peer.close();
        await peer.waitClosed();
        console.log(message);
      `;
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
        timeout: 240_000,
        killSignal: 'SIGKILL',
      });
      expect(stdout).toBe('by the listener\n');
    },
  );
});
