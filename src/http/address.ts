import { parseAddress } from '../net/address/parse.js';
import { ValueError } from '../net/errors.js';
import { type Address, DatagramError } from '../net/index.js';

/**
 * Reads the address that a server of HTTP listens on, as `serve` reads its address: `9000` is the loopback, `:9000` every
 * interface.
 *
 * @throws {ValueError}
 */
export function parseHttpAddress(text: string): Address {
  const [, behindScheme] = /^udp:\/\/(.*)$/i.exec(text) ?? [];
  if (behindScheme !== undefined) throw new ValueError(`HTTP is served over TCP; write ${behindScheme}.`);
  try {
    return parseAddress(text);
  } catch (error) {
    if (error instanceof DatagramError) throw new ValueError(`${error.message}.`);
    throw error;
  }
}
