import { SocketAddress } from 'node:net';
import { addressBytes } from '../../net/address/bytes.js';
import { uint16, uint32 } from '../byte-order.js';

/** Conversations have few addresses and many datagrams; beyond this many the memory of addresses begins anew. */
const MOST_REMEMBERED = 4096;

/** A function whose answers are remembered, a bounded number of them. */
function remembering<Key, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) {
      value = compute(key);
      if (known.size >= MOST_REMEMBERED) known.clear();
      known.set(key, value);
    }
    return value;
  };
}

/**
 * The bytes of an address in canonical form, as packets carry it: 4 or 16, without the zone.
 *
 * @param address A literal as {@link Endpoint} has it. The result is shared and must not be changed.
 */
export const addressToBytes: (address: string) => Uint8Array = remembering(addressBytes);

/** The dotted form of the four bytes at `at`. */
export function readIPv4(data: Uint8Array, at: number): string {
  return ipv4Text(uint32(data, at));
}

const ipv4Text = remembering(
  (value: number) => `${value >>> 24}.${(value >>> 16) & 0xff}.${(value >>> 8) & 0xff}.${value & 0xff}`,
);

/** The canonical form of the sixteen bytes at `at`; an IPv4-mapped address is that IPv4 address. */
export function readIPv6(data: Uint8Array, at: number): string {
  const mapped = uint32(data, at) === 0 && uint32(data, at + 4) === 0 && uint32(data, at + 8) === 0xffff;
  if (mapped) return readIPv4(data, at + 12);
  return ipv6Text(Buffer.from(data.buffer, data.byteOffset + at, 16).toString('latin1'));
}

const ipv6Text = remembering((latin1: string) => {
  const bytes = Buffer.from(latin1, 'latin1');
  const groups = Array.from({ length: 8 }, (_, group) => uint16(bytes, 2 * group).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
});
