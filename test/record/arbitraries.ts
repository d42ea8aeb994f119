/** Datagrams to be recorded. */
import { SocketAddress } from 'node:net';
import type { CapturedDatagram } from '../../src/record/captured-datagram.js';
import { type Family, MAX_PAYLOAD_BYTES } from '../../src/net/index.js';
import { fc, payloads, textPayloads } from '../support/property.js';

const ports = fc.integer({ min: 0, max: 65_535 });

/** An address in canonical form. Some are common ones, such as loopback addresses. */
const addresses: Readonly<Record<Family, fc.Arbitrary<string>>> = {
  4: fc.oneof(fc.ipV4(), fc.constantFrom('127.0.0.1', '255.255.255.255', '224.0.0.1', '224.0.0.251')),
  6: fc
    .oneof(fc.ipV6(), fc.constantFrom('::1', 'fe80::1', 'ff02::fb', '2001:db8::1:0:0:1'))
    .map((address) => new SocketAddress({ address, family: 'ipv6' }).address)
    .filter((address) => !address.startsWith('::ffff:') && address !== '::'),
};

/** Payloads of any size that the family can carry, most of them small. */
const payloadsOver = (family: Family): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    { arbitrary: payloads, weight: 10 },
    { arbitrary: textPayloads, weight: 10 },
    {
      arbitrary: fc
        .tuple(fc.constantFrom(0, 1, 2, 1000), fc.integer({ min: 0, max: 255 }))
        .map(([less, byte]) => Buffer.alloc(MAX_PAYLOAD_BYTES[family] - less, byte)),
      weight: 1,
    },
  );

/** Times from 2001 to 2106 in milliseconds, with fractions of microseconds. */
const times = fc.oneof(
  fc.integer({ min: 1e12, max: 4.29e12 }),
  fc.double({ min: 1e12, max: 4.29e12, noNaN: true }),
  fc.integer({ min: 1e9, max: 4.29e9 }).map((seconds) => seconds * 1000 + 999.9999),
);

const datagramsOver = (family: Family): fc.Arbitrary<CapturedDatagram> =>
  fc.record({
    timeMs: times,
    source: fc.record({ address: addresses[family], port: ports }),
    destination: fc.record({ address: addresses[family], port: ports }),
    data: payloadsOver(family),
  });

/** Datagrams of either family, from empty to the largest. */
export const datagrams: fc.Arbitrary<CapturedDatagram> = fc.oneof(datagramsOver(4), datagramsOver(6));
