/** A wrong argument of the library is a DatagramError that names the argument. No socket stays open. */
import { describe, expect, test } from '@jest/globals';
import {
  type AddressLike,
  type ClientOptions,
  DatagramError,
  type Endpoint,
  familyOf,
  formatAddress,
  formatEndpoint,
  type Outgoing,
  parseAddress,
  parseMembership,
  sameEndpoint,
} from '../../src/net/index.js';
import { describeEngines } from '../support/engines.js';
import { datagramError, text } from '../support/net.js';

const NO_ADDRESS: readonly unknown[] = [
  undefined,
  null,
  9,
  NaN,
  10n,
  true,
  Symbol('address'),
  () => '127.0.0.1:9',
  {},
  [],
  ['127.0.0.1:9'],
  { port: 9 },
  { address: '127.0.0.1' },
  { address: 5, port: 9 },
  { address: null, port: 9 },
  { address: '127.0.0.1', port: '9' },
  { address: '127.0.0.1', port: 1.5 },
  { address: '127.0.0.1', port: -1 },
  { address: 'localhost', port: 9 },
  { host: null, port: 9 },
  { host: {}, port: 9 },
  { host: '127.0.0.1', port: 9 },
  { host: { kind: 'literal' }, port: 9 },
  { host: { kind: 'name', name: 5 }, port: 9 },
  { host: { kind: 'somewhere' }, port: 9 },
  { host: { kind: 'loopback' } },
];

/** Wrong values of the options that servers and clients share. */
const WRONG_OPTIONS: readonly [name: string, ...values: readonly unknown[]][] = [
  ['maxReadQueue', '5', null, NaN, 5n, Symbol('5')],
  ['overflow', 5, null, 'drop', ['fail']],
  ['family', '4', 5, null, 'IPv4'],
  ['lookup', 'dns', null, {}, 5],
  ['engine', 5, null, 'fast', {}],
  ['signal', {}, null, 'abort', new AbortController(), { aborted: false }, () => undefined],
  ['recvBufferBytes', '1000', NaN, null, 0],
  ['sendBufferBytes', '1000', NaN, null, -1],
  ['ttl', NaN, '64', null, 1.5, Infinity],
  ['broadcast', 'yes', 1, null, {}],
  ['multicastInterface', 5, null, {}, Symbol('lo'), 'no_such'],
  ['join', 'text', null, {}, 5, [null], ['239.1.2.3'], [{}], [{ group: 5 }], Array(1)],
  ['source', ...[5, null, {}].map((source) => ({ join: [{ group: '232.1.2.3', source }] }))],
  ['interface', ...[5, null, {}].map((name) => ({ join: [{ group: '239.1.2.3', interface: name }] }))],
  ['dscp', '46', NaN, null],
  ['dontFragment', 'yes', 1, null],
  ['bindDevice', 5, null, {}],
  ['reusePort', 'yes', 1, null],
  ['exactDrops', 'yes', 0, null],
];

const CASES = WRONG_OPTIONS.flatMap(([name, ...values]) =>
  values.map((value): [string, object] => {
    const isWhole = name === 'source' || name === 'interface';
    return [name, isWhole ? (value as object) : { [name]: value }];
  }),
);

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  /** The functions themselves, to which the tests do not add an engine. */
  const raw = { openUdpConnection, startUdpServer };

  describe('an address that is none is INVALID_ADDRESS', () => {
    test.each(NO_ADDRESS.map((address) => [address]))('%p', async (wrong) => {
      const address = wrong as AddressLike;
      await using server = await startUdpServer('127.0.0.1:0');
      const attempts = [
        startUdpServer(address),
        openUdpConnection(address),
        server.sendto('x', address),
        server.sendBatch([{ data: 'x', remote: wrong as Endpoint }]),
        ...(wrong === undefined ? [] : [openUdpConnection('127.0.0.1:9', { localAddress: address })]),
        ...(wrong === undefined ? [] : [server.sendto('x', server.local, { local: wrong as Endpoint })]),
      ];
      for (const attempt of attempts) expect((await datagramError(attempt)).code).toBe('INVALID_ADDRESS');
      await server.sendto('still', server.local);
      expect(text((await server.recvfrom()).data)).toBe('still');
    });

    test('and the error names the argument', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      const wrong = { port: 9 } as never;
      const messageOf = async (attempt: Promise<unknown>) => (await datagramError(attempt)).message;
      expect(await messageOf(openUdpConnection(wrong))).toMatch(
        /^the address must be text \(127\.0\.0\.1:8000\), .*, not \{ port: 9 \}$/,
      );
      expect(await messageOf(openUdpConnection(server.local, { localAddress: wrong }))).toMatch(
        /^localAddress must be/,
      );
      expect(await messageOf(server.sendto('x', server.local, { local: wrong }))).toMatch(/^local must be/);
      expect(await messageOf(server.sendBatch([{ data: 'x', remote: wrong }]))).toMatch(/^remote must be/);
    });
  });

  describe('a source of one sending', () => {
    test('is canonical, of the family of the server, and its port is left out of account', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      const { port } = server.local;
      await server.sendto('x', server.local, { local: { address: '::ffff:127.0.0.1', port: 9 } });
      await server.sendBatch([{ data: 'y', remote: server.local, local: { address: '127.0.0.1', port } }]);
      expect([text((await server.recvfrom()).data), text((await server.recvfrom()).data)]).toEqual(['x', 'y']);
      const local = { address: '::1', port: 0 };
      expect(await datagramError(server.sendto('x', server.local, { local }))).toMatchObject({
        code: 'INVALID_ADDRESS',
        message: expect.stringContaining('it is not an IPv4 address') as unknown,
      });
    });
  });

  describe('an option of the wrong kind is INVALID_OPTION and named', () => {
    test.each(CASES)('%s in %p', async (name, options) => {
      for (const opening of [
        raw.openUdpConnection('127.0.0.1:9', options),
        raw.startUdpServer('127.0.0.1:0', options),
      ]) {
        const error = await datagramError(opening);
        expect(error.code).toBe('INVALID_OPTION');
        expect(error.message).toContain(name);
      }
    });

    test.each([
      ['strays', 5],
      ['strays', null],
      ['strays', 'all'],
    ])('%s: %p of a client', async (name, value) => {
      const error = await datagramError(openUdpConnection('127.0.0.1:9', { [name]: value }));
      expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) as unknown });
    });

    test.each([
      ['fd', '3'],
      ['fd', NaN],
      ['fd', null],
      ['fd', -1],
      ['onArrivals', 'count'],
      ['onArrivals', {}],
      ['onArrivals', null],
      ['receiver', () => 0],
      ['receiver', null],
      ['receiver', { room: () => 1, take: () => undefined }],
      ['receiver', { room: () => 1, take: () => undefined, failed: () => undefined, borrows: true }],
    ])('%s: %p of a server', async (name, value) => {
      const error = await datagramError(startUdpServer('127.0.0.1:0', { [name]: value }));
      expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) as unknown });
    });

    test('leaves an option out that is undefined', async () => {
      const names = WRONG_OPTIONS.map(([name]) => name).filter((name) => name !== 'engine');
      const options = Object.fromEntries(names.map((name) => [name, undefined]));
      await using server = await startUdpServer('127.0.0.1:0', options);
      await using client = await openUdpConnection(server.local, { ...options, localAddress: undefined });
      expect(client.engine).toBe(engine);
    });
  });

  describe('a wait whose options are wrong is INVALID_OPTION, and takes nothing', () => {
    test.each<[unknown, string]>([
      [null, 'options must be an object'],
      ['now', 'options must be an object'],
      [5, 'options must be an object'],
      [[], 'options must be an object'],
      [{ signal: {} }, 'signal must be an AbortSignal'],
      [{ signal: null }, 'signal must be an AbortSignal'],
      [{ signal: new AbortController() }, 'signal must be an AbortSignal'],
    ])('%p', async (wrong, message) => {
      const options = wrong as never;
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      await client.send('question');
      for (const attempt of [client.recv(options), server.recvfrom(options), server.batches(options).next()]) {
        const error = await datagramError(attempt);
        expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(message) as unknown });
      }
      expect(text((await server.recvfrom()).data)).toBe('question');
    });
  });

  describe('what a sending does not take', () => {
    test('is a second argument of a client, which is named', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      const elsewhere = { address: '127.0.0.1', port: 9 };
      const send = client.send.bind(client) as (...all: unknown[]) => Promise<void>;
      const sendBatch = client.sendBatch.bind(client) as (...all: unknown[]) => Promise<unknown>;
      for (const attempt of [send('x', elsewhere), sendBatch(['x'], elsewhere)]) {
        const error = await datagramError(attempt);
        expect(error.code).toBe('INVALID_OPTION');
        expect(error.message).toContain("second argument, { address: '127.0.0.1', port: 9 }");
        expect(error.message).toContain(`a client sends to one peer, ${formatEndpoint(server.local)}`);
      }
      await client.send('good');
      expect(text((await server.recvfrom()).data)).toBe('good');
    });

    test.each([[undefined], [null], ['text'], [5], [{}], [Buffer.from('x')]])('is %p for a batch', async (batch) => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      for (const attempt of [client.sendBatch(batch as never), server.sendBatch(batch as never)]) {
        const error = await datagramError(attempt);
        expect(error).toMatchObject({
          code: 'INVALID_OPTION',
          message: expect.stringContaining('an array of') as unknown,
        });
      }
    });

    test.each([[undefined], [null], ['text'], [5], [[]]])('is %p for a datagram of a batch', async (outgoing) => {
      await using server = await startUdpServer('127.0.0.1:0');
      const batch = [{ data: 'x', remote: server.local }, outgoing as unknown as Outgoing];
      const error = await datagramError(server.sendBatch(batch));
      expect(error).toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('datagram 1') as unknown,
      });
      await server.poll();
      expect(server.queued).toBe(0);
    });

    test.each([[null], ['127.0.0.1'], [5], [[]]])('is %p for the options of sendto', async (options) => {
      await using server = await startUdpServer('127.0.0.1:0');
      const error = await datagramError(server.sendto('x', server.local, options as never));
      expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('options') as unknown });
    });
  });

  describe('options that are no object are INVALID_OPTION', () => {
    test.each([[null], ['text'], [5], [[]], [true], [() => undefined]])('%p', async (options) => {
      const { openUdpConnection: open, startUdpServer: start } = await import('../../src/net/index.js');
      for (const opening of [open('127.0.0.1:9', options as never), start('127.0.0.1:0', options as never)]) {
        const error = await datagramError(opening);
        expect(error).toMatchObject({
          code: 'INVALID_OPTION',
          message: expect.stringMatching(/^options must be/) as unknown,
        });
      }
    });
  });

  describe('a look-up', () => {
    const WRONG: readonly [title: string, lookup: () => unknown, code: string, message: string][] = [
      ['that gives undefined', () => Promise.resolve(undefined), 'INVALID_OPTION', 'lookup'],
      ['that returns nothing', () => undefined, 'INVALID_OPTION', 'lookup'],
      ['that gives null', () => Promise.resolve(null), 'INVALID_OPTION', 'lookup'],
      ['that gives an object', () => Promise.resolve({ address: '127.0.0.1' }), 'INVALID_OPTION', 'lookup'],
      ['that gives text', () => Promise.resolve('127.0.0.1'), 'INVALID_OPTION', 'lookup'],
      ['that gives texts', () => Promise.resolve(['127.0.0.1']), 'INVALID_OPTION', 'lookup'],
      ['that gives numbers', () => Promise.resolve([{ address: 5 }]), 'INVALID_OPTION', 'lookup'],
      ['that gives a hole', () => Promise.resolve(Array(1)), 'INVALID_OPTION', 'lookup'],
      ['that gives no address', () => Promise.resolve([]), 'NOT_FOUND', 'lookup found no address'],
      ['that gives what is none', () => Promise.resolve([{ address: 'x' }]), 'NOT_FOUND', 'cannot resolve name.test'],
      ['that rejects', () => Promise.reject(new Error('by the look-up')), 'NOT_FOUND', 'by the look-up'],
      [
        'that throws',
        () => {
          throw new Error('at once');
        },
        'NOT_FOUND',
        'at once',
      ],
      ['of every interface', () => Promise.resolve([{ address: '0.0.0.0' }]), 'INVALID_ADDRESS', 'name.test:9'],
      [
        'of every interface, mapped',
        () => Promise.resolve([{ address: '::ffff:0.0.0.0' }]),
        'INVALID_ADDRESS',
        '0.0.0.0',
      ],
      [
        'of every interface of both families',
        () => Promise.resolve([{ address: '::' }, { address: '0.0.0.0' }]),
        'INVALID_ADDRESS',
        'it resolves to ::, which stands for every interface',
      ],
    ];

    test.each(WRONG)('%s is a DatagramError that names it', async (_title, wrong, code, message) => {
      const lookup = wrong as NonNullable<ClientOptions['lookup']>;
      await using server = await startUdpServer('*:0', { lookup });
      for (const attempt of [openUdpConnection('name.test:9', { lookup }), server.sendto('x', 'name.test:9')]) {
        const error = await datagramError(attempt);
        expect(error.code).toBe(code);
        expect(error.message).toContain(message);
      }
    });

    test('of every interface and others gives the others', async () => {
      const lookup = () => Promise.resolve([{ address: '0.0.0.0' }, { address: '127.0.0.1' }]);
      await using peer = await startUdpServer('127.0.0.1:0');
      await using server = await startUdpServer('127.0.0.1:0', { lookup });
      const name = `name.test:${peer.local.port}`;
      await using client = await openUdpConnection(name, { lookup });
      expect(client.remote).toEqual(peer.local);
      await client.send('from the client');
      await server.sendto('from the server', name);
      const received = [text((await peer.recvfrom()).data), text((await peer.recvfrom()).data)];
      expect(received.sort()).toEqual(['from the client', 'from the server']);
    });
  });
});

describe('the functions on addresses', () => {
  const errorOf = (call: () => unknown): unknown => {
    try {
      return call();
    } catch (error) {
      return error;
    }
  };

  test.each(NO_ADDRESS.slice(0, 12).map((value) => [value]))('refuse %p', (value) => {
    const wrong = value as never;
    const right = { address: '127.0.0.1', port: 9 };
    const calls = [
      () => parseAddress(wrong),
      () => familyOf(wrong),
      () => formatEndpoint(wrong),
      () => formatAddress(wrong),
      () => sameEndpoint(wrong, right),
      () => sameEndpoint(right, wrong),
    ];
    for (const call of calls) {
      const error = errorOf(call);
      expect(error).toBeInstanceOf(DatagramError);
      expect(error).toMatchObject({ code: 'INVALID_ADDRESS' });
    }
    expect(errorOf(() => parseMembership(wrong))).toMatchObject({ code: 'INVALID_OPTION' });
  });
});
