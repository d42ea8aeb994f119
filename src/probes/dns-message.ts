import type * as DnsPacket from 'dns-packet';
import { MalformedReply } from './probe.js';
import { ArgumentError } from './arguments.js';

/** Record types that can be asked for (RFC 1035 section 3.2.2 and later; the IANA registry "Resource Record TYPEs"). */
export const RECORD_TYPES = [
  ...['A', 'AAAA', 'CAA', 'CNAME', 'DNAME', 'DNSKEY', 'DS', 'HINFO', 'MX', 'NAPTR', 'NS', 'NSEC', 'NSEC3'],
  ...['PTR', 'RP', 'RRSIG', 'SOA', 'SRV', 'SSHFP', 'TLSA', 'TXT'],
] as const;

/** `dns-packet`, which is loaded when it is needed. */
export type DnsPacketLibrary = typeof DnsPacket;

/** Where the question begins: behind the header of 12 bytes (RFC 1035 section 4.1.1). */
const QUESTION_OFFSET = 12;

/** Decodes a message. @throws {MalformedReply} */
export function decodeMessage({ decode }: DnsPacketLibrary, data: Uint8Array): DnsPacket.Packet {
  try {
    return decode(Buffer.from(data));
  } catch (error) {
    // The library throws whatever its reads come to on bytes that are no message.
    throw new MalformedReply(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Whether a reply repeats the question of the request, which holds nothing else. Bytes are compared, since one name can
 * be cut into labels in several ways; letters may be of either case (RFC 4343).
 */
export function repeatsQuestion(request: Uint8Array, reply: Uint8Array): boolean {
  const asked = lowerCase(request.subarray(QUESTION_OFFSET));
  return asked.equals(lowerCase(reply.subarray(QUESTION_OFFSET, QUESTION_OFFSET + asked.length)));
}

function lowerCase(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)));
}

/** Reads a domain name, with or without its last dot; `.` is the root (RFC 1035 section 2.3.4 has the limits). */
export function readDomainName(text: string): string {
  const name = text === '.' ? '.' : text.replace(/\.$/, '');
  const labels = name === '.' ? [] : name.split('.');
  const fits = labels.every((label) => /^[\w*-]{1,63}$/.test(label)) && name.length <= 253;
  if (!fits || name === '') {
    throw new ArgumentError(
      'it is a name such as example.com, in ASCII, of labels of 1 to 63 letters, digits, - and _',
    );
  }
  return name;
}

/** The data of a record in a few words. */
export function describeData(record: DnsPacket.Answer): string {
  const { data } = record as { readonly data?: unknown };
  return describeValue(data);
}

function describeValue(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (Array.isArray(value)) return value.map(describeValue).join(' ');
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([name, part]) => `${name} ${describeValue(part)}`)
    .join(' ');
}
