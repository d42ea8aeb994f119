import { randomBytes, randomInt } from 'node:crypto';
import { ByteReader } from './byte-reader.js';
import { defineProbe, MalformedReply, match, mismatch } from './probe.js';

/** Fewest bytes of a client's first datagram. A server may ignore a smaller one (RFC 9000 section 14.1). */
const REQUEST_BYTES = 1200;
const LONG_HEADER = 0x80;
/** Set in every QUIC packet, so that other protocols can use the same port (RFC 9000 section 17.2). */
const FIXED_BIT = 0x40;
const CONNECTION_ID_BYTES = 8;
/** The version field of a Version Negotiation packet (RFC 8999 section 6). */
const NEGOTIATION = 0;
/** The bits of a reserved version, 0x?a?a?a?a. No server speaks a reserved version (RFC 9000 section 15). */
const RESERVED = 0x0a0a0a0a;
/** The maximum number of versions that are listed. Further ones are counted. */
const MAX_TOLD = 12;

/**
 * Asks a server which versions of QUIC it speaks. A server replies to an unknown version with a list of its own
 * versions (RFC 9000 section 6).
 */
export const quic = defineProbe({
  summary: 'which versions of QUIC a server speaks',
  proves: 'A QUIC server is there, and speaks these versions. This does not prove that it accepts a connection.',
  source: 'RFC 9000 sections 6, 14.1, 15 and 17.2.1, RFC 8999 sections 5.1 and 6, RFC 9369 section 3.1',
  port: 443,
  repliesFrom: 'peer',
  arguments: {},
  start() {
    const version = Buffer.alloc(4);
    version.writeInt32BE((randomInt(0x1_0000_0000) & 0xf0f0f0f0) | RESERVED);
    const destination = randomBytes(CONNECTION_ID_BYTES);
    const source = randomBytes(CONNECTION_ID_BYTES);
    const length = Buffer.of(CONNECTION_ID_BYTES);
    const header = [Buffer.of(LONG_HEADER | FIXED_BIT), version, length, destination, length, source];
    return {
      request: Buffer.concat(header, REQUEST_BYTES),
      judge: (data) => {
        const reader = new ByteReader(data);
        if ((reader.u8() & LONG_HEADER) === 0) throw new MalformedReply('its header is not a long one');
        if (reader.u32() !== NEGOTIATION) throw new MalformedReply('it negotiates no version');
        const forUs = reader.bytes(reader.u8()).equals(source);
        const fromThem = reader.bytes(reader.u8()).equals(destination);
        if (reader.left === 0 || reader.left % 4 !== 0) {
          throw new MalformedReply(`its list of versions has ${reader.left} bytes`);
        }
        const versions: number[] = [];
        while (reader.left > 0) versions.push(reader.u32());
        if (!forUs || !fromThem) return mismatch('the reply is to another packet: its connection ids differ');
        if (versions.includes(version.readUInt32BE())) return mismatch('it offers the version that it was asked with');
        const names = versions.filter((offered) => !isReserved(offered)).map(nameVersion);
        if (names.length === 0) return mismatch('it offers no version but reserved ones');
        const more = names.length > MAX_TOLD ? ` and ${names.length - MAX_TOLD} more` : '';
        return match(`versions ${names.slice(0, MAX_TOLD).join(', ')}${more}`);
      },
    };
  },
});

/** Whether a version is reserved. Servers list such versions too, so that clients learn to ignore unknown ones. */
function isReserved(version: number): boolean {
  return (version & 0x0f0f0f0f) === RESERVED;
}

/** Returns the usual name of a version. Draft n of RFC 9000 has the version 0xff000000 + n. */
function nameVersion(version: number): string {
  if (version === 1) return '1';
  if (version === 0x6b3343cf) return '2';
  if (version >>> 8 === 0xff0000) return `draft-${version & 0xff}`;
  return `0x${version.toString(16).padStart(8, '0')}`;
}
