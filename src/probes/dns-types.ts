import { ArgumentError } from './arguments.js';

/** Record types by name (the IANA registry "Resource Record (RR) TYPEs"). */
const TYPES: Readonly<Record<string, number>> = {
  ...{ A: 1, NS: 2, MD: 3, MF: 4, CNAME: 5, SOA: 6, MB: 7, MG: 8, MR: 9, NULL: 10, WKS: 11, PTR: 12, HINFO: 13 },
  ...{ MINFO: 14, MX: 15, TXT: 16, RP: 17, AFSDB: 18, X25: 19, ISDN: 20, RT: 21, NSAP: 22, SIG: 24, KEY: 25, PX: 26 },
  ...{ GPOS: 27, AAAA: 28, LOC: 29, NXT: 30, EID: 31, NIMLOC: 32, SRV: 33, ATMA: 34, NAPTR: 35, KX: 36, CERT: 37 },
  ...{ DNAME: 39, SINK: 40, OPT: 41, APL: 42, DS: 43, SSHFP: 44, IPSECKEY: 45, RRSIG: 46, NSEC: 47, DNSKEY: 48 },
  ...{ DHCID: 49, NSEC3: 50, NSEC3PARAM: 51, TLSA: 52, SMIMEA: 53, HIP: 55, CDS: 59, CDNSKEY: 60, OPENPGPKEY: 61 },
  ...{ CSYNC: 62, ZONEMD: 63, SVCB: 64, HTTPS: 65, SPF: 99, NID: 104, L32: 105, L64: 106, LP: 107, EUI48: 108 },
  ...{ EUI64: 109, TKEY: 249, TSIG: 250, IXFR: 251, AXFR: 252, MAILB: 253, MAILA: 254, ANY: 255, URI: 256, CAA: 257 },
  ...{ AVC: 258, DOA: 259, AMTRELAY: 260, RESINFO: 261, TA: 32_768, DLV: 32_769 },
};

/** A type of resource records. */
export interface RecordType {
  /** The name of the registry, or `TYPE` with the number (RFC 3597 section 5). */
  readonly name: string;
  /** 1 to 65535. */
  readonly number: number;
}

/** Reads a record type: a name, `TYPE65`, or `65`. Upper and lower case are equal. @throws {ArgumentError} */
export function readRecordType(text: string): RecordType {
  const name = text.toUpperCase();
  const [, digits] = /^(?:TYPE)?(\d{1,5})$/.exec(name) ?? [];
  const number = digits === undefined ? (Object.hasOwn(TYPES, name) ? TYPES[name] : undefined) : Number(digits);
  if (number === undefined || number < 1 || number > 0xffff) {
    throw new ArgumentError('it must be a record type such as A, HTTPS, ANY, TYPE65, or a number from 1 to 65535');
  }
  const [known] = Object.entries(TYPES).find(([, value]) => value === number) ?? [];
  return { name: known ?? `TYPE${number}`, number };
}

/**
 * Returns the number of a type from its name in a decoded message. The module `dns-packet` writes a type that it does not know
 * as `UNKNOWN_65`.
 */
export function typeNumberOf(decoded: string): number | undefined {
  const [, digits] = /^UNKNOWN_(\d+)$/.exec(decoded) ?? [];
  return digits === undefined ? TYPES[decoded] : Number(digits);
}
