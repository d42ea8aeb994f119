import { randomBytes } from 'node:crypto';
import { optional, readOneOf } from './arguments.js';
import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const MODE_CLIENT = 3;
const MODE_SERVER = 4;
const LEAP_UNSYNCHRONISED = 3;
/** The largest stratum of a synchronised server. Stratum 0 has no time either. */
const MAX_STRATUM = 15;
const HEADER_BYTES = 48;

/** A time request to an NTP server (RFC 5905 sections 7.3 and 8). Its checks are those of RFC 4330 section 5. */
export const ntp = defineProbe({
  summary: 'a time request to an NTP server',
  proves:
    'The server answered this request and says that its clock is synchronised. This does not prove that its ' +
    'time is right.',
  source: 'RFC 5905 sections 7.3, 7.4 and 8, RFC 4330 section 5',
  port: 123,
  repliesFrom: 'peer',
  arguments: {
    version: optional('the version of the protocol', readOneOf(['3', '4']), '4'),
  },
  start({ version }) {
    // The server copies our transmit timestamp to its origin timestamp, and does not read it. So a random value, which
    // tells nothing about our clock, shows which request a reply is to.
    const nonce = randomBytes(8);
    const request = Buffer.alloc(HEADER_BYTES);
    request.writeUInt8((Number(version) << 3) | MODE_CLIENT, 0);
    nonce.copy(request, 40);
    return {
      request,
      judge: (data) => {
        const reader = new ByteReader(data);
        const flags = reader.u8();
        const stratum = reader.u8();
        reader.bytes(2); // poll, precision
        const rootDelay = reader.u32();
        const rootDispersion = reader.u32();
        const reference = reader.bytes(4);
        reader.bytes(8); // reference timestamp
        const origin = reader.bytes(8);
        reader.bytes(8); // receive timestamp
        const transmit = reader.bytes(8);
        if ((flags & 7) !== MODE_SERVER) throw new MalformedReply(`its mode is ${flags & 7}, not ${MODE_SERVER}`);
        if (!origin.equals(nonce)) return mismatch('the reply is to another request: its origin timestamp differs');
        const code = asciiCode(reference);
        if (stratum === 0 && code !== undefined) return mismatch(`kiss code ${code}`);
        if (stratum === 0 || stratum > MAX_STRATUM || flags >> 6 === LEAP_UNSYNCHRONISED) {
          return mismatch(`unsynchronised, stratum ${stratum}`);
        }
        if (transmit.every((byte) => byte === 0)) return mismatch('its transmit timestamp is zero');
        // The root distance (RFC 5905 section 11.2). The fields are seconds with 16 bits of fraction.
        const distanceMs = (1000 * (rootDelay / 2 + rootDispersion)) / 0x1_0000;
        const source = stratum === 1 && code !== undefined ? `reference ${code}, ` : '';
        return match(`stratum ${stratum}, ${source}root distance ${distanceMs.toFixed(1)} ms`);
      },
    };
  },
});

/** Reads a reference or kiss code: 1 to 4 ASCII characters, padded with zeros. Undefined if the field is no code. */
function asciiCode(field: Buffer): string | undefined {
  return /^([!-~]{1,4})\0*$/.exec(field.toString('latin1'))?.[1];
}
