import { isIPv6 } from 'node:net';
import type * as DnsPacket from 'dns-packet';
import { canonicalAddress } from '../net/address/literal.js';
import { ByteReader } from './byte-reader.js';
import { MalformedReply } from './probe.js';
import { type RecordType, typeNumberOf } from './dns-types.js';

/** Fields of records that are written in base64 (RFC 4034 sections 2.2 and 3.2). Other bytes are written in hex. */
const BASE64_FIELDS = ['key', 'signature'];
/** A field that repeats a bit of another one. */
const DERIVED_FIELD = 'issuerCritical';

/** The SvcParamKeys (RFC 9460 section 14.3.2, RFC 9461, RFC 9540), by number. */
const SERVICE_KEYS = [
  'mandatory',
  'alpn',
  'no-default-alpn',
  'port',
  'ipv4hint',
  'ech',
  'ipv6hint',
  'dohpath',
  'ohttp',
];
const SVCB = 64;
const HTTPS = 65;

/**
 * Returns the data of a record as text, with the names of its fields, for example `preference 5 exchange mail.example.com`.
 *
 * @throws {MalformedReply} if the data of an HTTPS or SVCB record cannot be read
 */
export function describeData(record: DnsPacket.Answer): string {
  return write(record, (name, value) => `${name} ${value}`);
}

/** Returns the data of a record as a zone file has it, for example `5 mail.example.com`. @throws {MalformedReply} */
function zoneData(record: DnsPacket.Answer): string {
  return write(record, (_name, value) => value);
}

function write(record: DnsPacket.Answer, field: (name: string, value: string) => string): string {
  const { data } = record as { readonly data?: unknown };
  const type = typeNumberOf(record.type);
  if (record.type === 'TXT') return textOf(data);
  if (data instanceof Uint8Array) return type === SVCB || type === HTTPS ? serviceData(data) : unknownData(data);
  if (typeof data !== 'object' || data === null) return writeValue('', data);
  return Object.entries(data)
    .filter(([name]) => name !== DERIVED_FIELD)
    .map(([name, value]) => field(name, writeValue(name, value)))
    .join(' ');
}

function writeValue(name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString(BASE64_FIELDS.includes(name) ? 'base64' : 'hex');
  return Array.isArray(value) ? value.map((item) => writeValue(name, item)).join(' ') : '';
}

/** Returns the text of a TXT record. Its strings stand one after the other (RFC 7208 section 3.3). */
function textOf(data: unknown): string {
  const strings = Array.isArray(data) ? data : [data];
  return Buffer.concat(strings.filter((part) => part instanceof Uint8Array)).toString('utf8');
}

/** Writes data of an unknown type, for example `\# 4 0a000001` (RFC 3597 section 5). */
function unknownData(data: Uint8Array): string {
  return `\\# ${data.length} ${Buffer.from(data).toString('hex')}`.trimEnd();
}

/** Writes the data of an HTTPS or SVCB record, for example `1 . alpn=h2,h3 port=443` (RFC 9460 section 2). */
function serviceData(data: Uint8Array): string {
  const reader = new ByteReader(data);
  const words = [String(reader.u16()), readName(reader)];
  while (reader.left > 0) {
    const key = reader.u16();
    const value = reader.bytes(reader.u16());
    const written = serviceValue(key, value);
    words.push(`${SERVICE_KEYS[key] ?? `key${key}`}${written === '' ? '' : `=${written}`}`);
  }
  return words.join(' ');
}

function readName(reader: ByteReader): string {
  const labels: string[] = [];
  for (let length = reader.u8(); length > 0; length = reader.u8()) {
    if (length > 63) throw new MalformedReply('a name within a record is compressed');
    labels.push(reader.bytes(length).toString('utf8'));
  }
  return labels.length === 0 ? '.' : labels.join('.');
}

/** Writes the value of a SvcParam (RFC 9460 section 7). */
function serviceValue(key: number, value: Buffer): string {
  switch (SERVICE_KEYS[key]) {
    case 'mandatory':
      return pieces(value, 2, (part) => SERVICE_KEYS[part.readUInt16BE()] ?? `key${part.readUInt16BE()}`);
    case 'alpn':
      return readStrings(value).join(',');
    case 'port':
      return pieces(value, 2, (part) => String(part.readUInt16BE()));
    case 'ipv4hint':
      return pieces(value, 4, (part) => part.join('.'));
    case 'ipv6hint':
      return pieces(value, 16, (part) => writeIpv6(part));
    case 'ech':
      return value.toString('base64');
    case 'dohpath':
      return value.toString('utf8');
    default:
      return value.toString('hex');
  }
}

function pieces(value: Buffer, bytes: number, write: (part: Buffer) => string): string {
  const reader = new ByteReader(value);
  const parts: string[] = [];
  while (reader.left > 0) parts.push(write(reader.bytes(bytes)));
  return parts.join(',');
}

function readStrings(value: Buffer): string[] {
  const reader = new ByteReader(value);
  const strings: string[] = [];
  while (reader.left > 0) strings.push(reader.bytes(reader.u8()).toString('utf8'));
  return strings;
}

function writeIpv6(address: Buffer): string {
  const groups = pieces(address, 2, (part) => part.readUInt16BE().toString(16)).replaceAll(',', ':');
  return canonicalAddress(groups, groups);
}

/**
 * Whether a record has a value. A TXT record has it if its text is equal. Other data may be written as in a zone file or as
 * {@link describeData} does; upper and lower case are equal, and the last dot of a name and quotes do not count.
 */
export function hasValue(record: DnsPacket.Answer, value: string): boolean {
  if (record.type === 'TXT') return textOf((record as { readonly data?: unknown }).data) === value;
  const wanted = normalize(value);
  return normalize(zoneData(record)) === wanted || normalize(describeData(record)) === wanted;
}

function normalize(data: string): string {
  if (isIPv6(data)) return canonicalAddress(data, data);
  return data
    .toLowerCase()
    .replaceAll('"', '')
    .split(/\s+/)
    .map((word) => (word === '.' ? word : word.replace(/\.$/, '')))
    .join(' ')
    .trim();
}

/** Whether a record is of a type. All are of the type ANY. */
export function isOfType(record: DnsPacket.Answer, type: RecordType): boolean {
  return type.name === 'ANY' || typeNumberOf(record.type) === type.number;
}
