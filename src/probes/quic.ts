import { randomBytes, randomInt } from 'node:crypto';
import { ByteReader } from './byte-reader.js';
import { defineProbe, MalformedReply, match, mismatch } from './probe.js';

/** The least that a client's first datagram holds (RFC 9000 section 14.1): a server need not answer a smaller one. */
const REQUEST_BYTES = 1200;
const LONG_HEADER = 0x80;
/** Set in every packet that is none of another protocol at the same port (RFC 9000 section 17.2). */
const FIXED_BIT = 0x40;
const CONNECTION_ID_BYTES = 8;
/** A Version Negotiation packet has this in place of a version (RFC 8999 section 6). */
const NEGOTIATION = 0;
/** Versions 0x?a?a?a?a, which nobody speaks, have these bits (RFC 9000 section 15). */
const RESERVED = 0x0a0a0a0a;
/** Versions that are told one by one. */
const MAX_TOLD = 12;

/** Which versions of QUIC a server speaks: it answers one that nobody does with a list (RFC 9000 section 6). */
export const quic = defineProbe({
  summary: 'which versions of QUIC a server speaks',
  proves: 'A QUIC server is there, and speaks these versions. Not that it would agree to a connection.',
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

/** Whether nobody speaks the version: servers offer such ones too, so that clients learn to leave out what they do not know. */
function isReserved(version: number): boolean {
  return (version & 0x0f0f0f0f) === RESERVED;
}

/** A version as people call it; drafts of RFC 9000 counted theirs behind 0xff0000. */
function nameVersion(version: number): string {
  if (version === 1) return '1';
  if (version === 0x6b3343cf) return '2';
  if (version >>> 8 === 0xff0000) return `draft-${version & 0xff}`;
  return `0x${version.toString(16).padStart(8, '0')}`;
}
