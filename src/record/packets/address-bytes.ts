import { SocketAddress } from 'node:net';
import { addressBytes } from '../../net/address/bytes.js';
import { uint16, uint32 } from '../byte-order.js';

/** The maximum number of results that a function remembers. When there are more, all are forgotten. */
const MOST_REMEMBERED = 4096;

/** Makes a function that remembers its results: a capture has few addresses and many packets. */
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
 * Returns the 4 or 16 bytes of an address, without its zone. The result is shared: do not change it.
 *
 * @param address An IPv4 or IPv6 address in canonical form.
 */
export const addressToBytes: (address: string) => Uint8Array = remembering(addressBytes);

/** Reads the IPv4 address at `at` in dotted form. */
export function readIPv4(data: Uint8Array, at: number): string {
  return ipv4Text(uint32(data, at));
}

const ipv4Text = remembering(
  (value: number) => `${value >>> 24}.${(value >>> 16) & 0xff}.${(value >>> 8) & 0xff}.${value & 0xff}`,
);

/** Reads the IPv6 address at `at` in canonical form. An IPv4-mapped address is returned as the IPv4 address. */
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
