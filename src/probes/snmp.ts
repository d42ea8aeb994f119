import { isUtf8 } from 'node:buffer';
import { randomInt } from 'node:crypto';
import { ArgumentError, optional, readOneOf, readText, secret } from './arguments.js';
import {
  decodeInteger,
  decodeObjectIdentifier,
  encodeObjectIdentifier,
  INTEGER,
  MAX_ARC,
  MAX_ARCS,
  NULL,
  OBJECT_IDENTIFIER,
  OCTET_STRING,
  openRest,
  readContent,
  readInteger,
  readRest,
  SEQUENCE,
  writeElement,
  writeInteger,
} from './ber.js';
import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

/** The numbers of the versions in a message (RFC 1157 section 4, RFC 1901 section 3). */
const VERSIONS = { '1': 0, '2c': 1 } as const;
const GET_REQUEST = 0xa0;
const RESPONSE = 0xa2;

/** Names of the error-status, by number (RFC 3416 section 3). Version 1 has the first six. */
const ERROR_STATUSES = [
  ...['noError', 'tooBig', 'noSuchName', 'badValue', 'readOnly', 'genErr', 'noAccess', 'wrongType', 'wrongLength'],
  ...['wrongEncoding', 'wrongValue', 'noCreation', 'inconsistentValue', 'resourceUnavailable', 'commitFailed'],
  ...['undoFailed', 'authorizationError', 'notWritable', 'inconsistentName'],
];
/** Tags of replies without a value (RFC 3416 section 3). */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  0x80: 'noSuchObject',
  0x81: 'noSuchInstance',
  0x82: 'endOfMibView',
};
/** Types of values by tag: the name, and a function that formats a value (RFC 2578 section 7.1). */
const TYPES: Readonly<Record<number, readonly [name: string, show: (content: Buffer) => string]>> = {
  [INTEGER]: ['INTEGER', showInteger(-0x8000_0000n, 0x7fff_ffffn)],
  [OCTET_STRING]: ['OCTET STRING', showOctets],
  [OBJECT_IDENTIFIER]: ['OBJECT IDENTIFIER', (content) => decodeObjectIdentifier(content).join('.').slice(0, MAX_TEXT)],
  0x40: ['IpAddress', showIpAddress],
  0x41: ['Counter32', showInteger(0n, 0xffff_ffffn)],
  0x42: ['Gauge32', showInteger(0n, 0xffff_ffffn)],
  0x43: ['TimeTicks', showInteger(0n, 0xffff_ffffn)],
  0x44: ['Opaque', showHex],
  0x46: ['Counter64', showInteger(0n, 0xffff_ffff_ffff_ffffn)],
};
/** The maximum number of characters of a value that are shown. */
const MAX_TEXT = 80;

/** Asks an agent for one object (RFC 3416 sections 3 and 4.2, RFC 1157 section 4.1, RFC 1901 section 3; BER: X.690). */
export const snmp = defineProbe({
  summary: 'a GetRequest to an SNMP agent, v1 or v2c',
  proves:
    'The agent answered this request, takes the community, and has the object. An agent that does not take the ' +
    'community, or the version, is silent.',
  source: 'RFC 3416 sections 3 and 4.2, RFC 1157 section 4.1, RFC 1901 section 3, RFC 3417 section 8',
  port: 161,
  repliesFrom: 'peer',
  arguments: {
    oid: optional('the object, in numbers (sysUpTime)', readObjectIdentifier, '1.3.6.1.2.1.1.3.0'),
    community: secret(optional('the community', readText, 'public')),
    version: optional('the version of the protocol', readOneOf(['2c', '1']), '2c'),
  },
  start({ oid, community, version }) {
    // An id of four octets, so that all requests have the same size.
    const id = randomInt(0x0100_0000, 0x8000_0000);
    const key = Buffer.from(community, 'utf8');
    const name = encodeObjectIdentifier(oid);
    const request = writeElement(
      SEQUENCE,
      writeInteger(VERSIONS[version]),
      writeElement(OCTET_STRING, key),
      writeElement(
        GET_REQUEST,
        writeInteger(id),
        writeInteger(0), // error-status
        writeInteger(0), // error-index
        writeElement(SEQUENCE, writeElement(SEQUENCE, writeElement(OBJECT_IDENTIFIER, name), writeElement(NULL))),
      ),
    );
    return {
      request,
      judge: (data) => {
        const message = openRest(new ByteReader(data), SEQUENCE);
        if (readInteger(message) !== VERSIONS[version]) return mismatch('the reply is of another version');
        if (!readContent(message, OCTET_STRING).equals(key)) return mismatch('the reply is for another community');
        const pdu = openRest(message, RESPONSE);
        if (readInteger(pdu) !== id) return mismatch('the reply is to another request: its request-id differs');
        const status = readInteger(pdu);
        readInteger(pdu); // error-index
        if (status !== 0) return mismatch(`error-status ${ERROR_STATUSES[status] ?? status}`);
        const binding = openRest(openRest(pdu, SEQUENCE), SEQUENCE);
        if (!readContent(binding, OBJECT_IDENTIFIER).equals(name)) return mismatch('the reply is about another object');
        const { tag, content } = readRest(binding);
        const exception = EXCEPTIONS[tag];
        if (exception !== undefined) return mismatch(`${exception}: ${oid.join('.')}`);
        const type = TYPES[tag];
        if (type === undefined) throw new MalformedReply(`its value has the unknown tag 0x${tag.toString(16)}`);
        const [typeName, show] = type;
        return match(`${oid.join('.')} = ${show(content)} (${typeName})`);
      },
    };
  },
});

/**
 * Reads an object identifier, for example `1.3.6.1.2.1.1.3.0` or `.1.3.6` (limits: RFC 2578 section 3.5).
 *
 * @throws {ArgumentError}
 */
function readObjectIdentifier(text: string): readonly number[] {
  const arcs = text
    .replace(/^\./, '')
    .split('.')
    .map((arc) => (/^\d{1,10}$/.test(arc) ? Number(arc) : NaN));
  const [first = NaN, second = NaN] = arcs;
  const roots = first <= 2 && (first === 2 || second < 40);
  if (!roots || arcs.length < 2 || arcs.length > MAX_ARCS || !arcs.every((arc) => arc <= MAX_ARC)) {
    throw new ArgumentError(`it must be 2 to ${MAX_ARCS} numbers with dots between them, such as 1.3.6.1.2.1.1.3.0`);
  }
  return arcs;
}

function showInteger(least: bigint, most: bigint): (content: Buffer) => string {
  return (content) => String(decodeInteger(content, least, most));
}

/** Formats octets as text if they are printable UTF-8, otherwise in hex. */
function showOctets(content: Buffer): string {
  const text = content.toString('utf8');
  return isUtf8(content) && !/[^\P{Cc}\t\r\n]/u.test(text) ? `"${text.slice(0, MAX_TEXT)}"` : showHex(content);
}

function showHex(content: Buffer): string {
  return `0x${content.toString('hex')}`.slice(0, MAX_TEXT);
}

function showIpAddress(content: Buffer): string {
  if (content.length !== 4) throw new MalformedReply(`its IpAddress has ${content.length} octets`);
  return content.join('.');
}
