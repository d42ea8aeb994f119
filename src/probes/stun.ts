import { randomBytes } from 'node:crypto';
import { SocketAddress } from 'node:net';
import { crc32 } from 'node:zlib';
import { formatEndpoint } from '../net/index.js';
import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const HEADER_BYTES = 20;
const MAGIC_COOKIE = 0x2112_a442;
const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;

const MAPPED_ADDRESS = 0x0001;
const ERROR_CODE = 0x0009;
const XOR_MAPPED_ADDRESS = 0x0020;
const SOFTWARE = 0x8022;
const FINGERPRINT = 0x8028;
/** The smallest type of an attribute that a reader may ignore (RFC 8489 section 14). */
const COMPREHENSION_OPTIONAL = 0x8000;
/** Smaller types that a reply may have, with the address attributes of older servers (RFC 3489 section 11.2). */
const UNDERSTOOD = [
  ...[MAPPED_ADDRESS, 0x0004, 0x0005, 0x0006, 0x0008, ERROR_CODE, 0x000a, 0x000b],
  ...[0x0014, 0x0015, 0x001c, XOR_MAPPED_ADDRESS],
];
/** The mask of the checksum, so that it differs from that of other protocols (RFC 8489 section 14.7). */
const FINGERPRINT_MASK = 0x5354_554e;
/** The maximum number of characters of a reply's text that are shown. */
const MAX_TEXT = 80;

/** Asks a STUN server for the address that it sees us under (RFC 8489 sections 5, 6 and 14). */
export const stun = defineProbe({
  summary: 'a request for the address that a STUN server sees us under',
  proves:
    'The server answered this request, and said from which address it came. This does not prove that the address is ' +
    'right, or that the server would relay (TURN).',
  source: 'RFC 8489 sections 5, 6 and 14',
  port: 3478,
  repliesFrom: 'peer',
  arguments: {},
  start() {
    const request = Buffer.alloc(HEADER_BYTES);
    request.writeUInt16BE(BINDING_REQUEST, 0);
    request.writeUInt32BE(MAGIC_COOKIE, 4);
    const transactionId = randomBytes(12);
    transactionId.copy(request, 8);
    return {
      request,
      judge: (data) => {
        const reader = new ByteReader(data);
        const type = reader.u16();
        const length = reader.u16();
        const cookie = reader.u32();
        const id = reader.bytes(12);
        if (cookie !== MAGIC_COOKIE) throw new MalformedReply('its magic cookie is wrong');
        if (length !== reader.left)
          throw new MalformedReply(`it says ${length} bytes of attributes, not ${reader.left}`);
        if (type !== BINDING_SUCCESS && type !== BINDING_ERROR) {
          throw new MalformedReply(`its type is 0x${hex16(type)}, not that of a response to a Binding request`);
        }
        if (!id.equals(transactionId)) return mismatch('the reply is to another request: its transaction id differs');
        const attributes = readAttributes(data, reader);
        if (type === BINDING_ERROR) return mismatch(describeError(attributes.get(ERROR_CODE)));
        const unknown = [...attributes.keys()].find((key) => key < COMPREHENSION_OPTIONAL && !UNDERSTOOD.includes(key));
        if (unknown !== undefined) return mismatch(`an attribute that must be understood is not: 0x${hex16(unknown)}`);
        // Some routers rewrite addresses in payloads. To hide the address from them it is XORed with the cookie and the
        // id.
        const hidden = attributes.get(XOR_MAPPED_ADDRESS);
        const mapped = hidden ? readAddress(hidden, request.subarray(4)) : readAddress(attributes.get(MAPPED_ADDRESS));
        const software = attributes.get(SOFTWARE)?.toString('utf8').slice(0, MAX_TEXT);
        return match(`mapped address ${mapped}${software === undefined ? '' : `, software "${software}"`}`);
      },
    };
  },
});

/** Reads the values of the attributes by type. Of several with one type the first counts (RFC 8489 section 14). */
function readAttributes(data: Uint8Array, reader: ByteReader): Map<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  while (reader.left > 0) {
    const before = data.subarray(0, data.length - reader.left);
    const type = reader.u16();
    const value = reader.bytes(reader.u16());
    reader.bytes(-value.length & 3); // to the next multiple of four
    if (type === FINGERPRINT) checkFingerprint(value, before, reader.left);
    if (!attributes.has(type)) attributes.set(type, value);
  }
  return attributes;
}

/** Checks a fingerprint: the last attribute, a checksum of all bytes before it. */
function checkFingerprint(value: Buffer, before: Uint8Array, left: number): void {
  const expected = (crc32(before) ^ FINGERPRINT_MASK) >>> 0;
  if (left > 0 || value.length !== 4 || value.readUInt32BE() !== expected) {
    throw new MalformedReply('its fingerprint is wrong');
  }
}

/**
 * Reads an address with its port (RFC 8489 sections 14.1 and 14.2).
 *
 * @param mask XORed with port and address; default: zeros
 */
function readAddress(value: Buffer | undefined, mask: Buffer = Buffer.alloc(16)): string {
  if (value === undefined) throw new MalformedReply('it has no mapped address');
  const reader = new ByteReader(value);
  reader.u8(); // nothing
  const family = reader.u8();
  const port = reader.u16() ^ mask.readUInt16BE();
  const octets = reader.rest().map((octet, index) => octet ^ (mask[index] ?? 0));
  if (family === 1 && octets.length === 4) return formatEndpoint({ address: octets.join('.'), port });
  if (family !== 2 || octets.length !== 16) throw new MalformedReply('its mapped address is of no known family');
  const groups = Buffer.from(octets).toString('hex').match(/.{4}/g) ?? [];
  return formatEndpoint({ address: new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address, port });
}

/** Reads an error code and its reason. The code is a class of hundreds and a number (RFC 8489 section 14.8). */
function describeError(value: Buffer | undefined): string {
  if (value === undefined) throw new MalformedReply('it is an error without a code');
  const reader = new ByteReader(value);
  reader.u16(); // nothing
  const code = (reader.u8() & 7) * 100 + reader.u8();
  return `error ${code} ${reader.rest().toString('utf8').slice(0, MAX_TEXT)}`.trimEnd();
}

function hex16(value: number): string {
  return value.toString(16).padStart(4, '0');
}
