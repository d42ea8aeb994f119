import { randomInt } from 'node:crypto';
import type * as DnsPacket from 'dns-packet';
import type { Finding } from '../check/finding.js';
import { ArgumentError } from './arguments.js';
import type { RecordType } from './dns-types.js';
import { isOfType } from './dns-value.js';
import { MalformedReply, mismatch, type ProbeRun } from './probe.js';

/** The module `dns-packet`. It is loaded when the probe starts. */
type DnsPacketLibrary = typeof DnsPacket;

/** The question of a query (RFC 1035 section 4.1.2). */
export interface Question {
  readonly name: string;
  readonly type: RecordType;
  readonly class: DnsPacket.RecordClass;
  /** Whether the query asks the server for recursion. */
  readonly recursion: boolean;
  /** The maximum number of bytes of a reply. A longer reply is malformed: to decode it could take long. */
  readonly maxReplyBytes: number;
}

/** The reply to a question. */
export interface DnsReply {
  /** The response code by name, for example `NXDOMAIN`. */
  readonly rcode: string;
  /** The records of the answer section. */
  readonly records: readonly DnsPacket.Answer[];
  /** The records of the type that was asked for. With the type ANY these are all records. */
  readonly fitting: readonly DnsPacket.Answer[];
  /** Whether the server left out records that did not fit the datagram. */
  readonly truncated: boolean;
}

let loading: Promise<DnsPacketLibrary> | undefined;

/** Loads the library once: in the bundled command, each `import()` copies all its exports. */
const loadLibrary = (): Promise<DnsPacketLibrary> => (loading ??= import('dns-packet'));

/** Offsets in a message: the number of questions, and the first question (RFC 1035 section 4.1.1). */
const QUESTION_COUNT_OFFSET = 4;
const QUESTION_OFFSET = 12;

/**
 * Writes a query with one question, with a random id.
 *
 * @param judge Called only with a reply that has the id and the question of the query.
 */
export async function ask(
  { name, type, class: klass, recursion, maxReplyBytes }: Question,
  judge: (reply: DnsReply) => Finding,
): Promise<ProbeRun> {
  const library = await loadLibrary();
  const id = randomInt(0x1_0000);
  const request = library.encode({
    type: 'query',
    id,
    flags: recursion ? library.RECURSION_DESIRED : 0,
    questions: [{ name, type: 'A', class: klass }],
  });
  // The library does not know all types. The question ends with its type and class, two bytes each.
  request.writeUInt16BE(type.number, request.length - 4);
  return {
    request,
    judge: (data) => {
      if (data.length > maxReplyBytes) {
        throw new MalformedReply(`it has ${data.length} bytes, and a reply has at most ${maxReplyBytes}`);
      }
      const reply = decodeMessage(library, data);
      if (reply.type !== 'response') throw new MalformedReply('it is a query');
      if (reply.id !== id) return mismatch('the reply is to another query: its id differs');
      if (reply.opcode !== 'QUERY') return mismatch('the reply is to another query: its opcode differs');
      const { rcode, answers: records = [] } = reply;
      // A server that cannot read a query need not repeat the question (RFC 1035 section 4.1.1, FORMERR).
      const repeats = repeatsQuestion(request, data);
      if (!repeats && (rcode === 'NOERROR' || reply.questions?.length !== 0)) {
        return mismatch('the reply is to another query: its question differs');
      }
      return judge({
        rcode,
        records,
        fitting: records.filter((record) => isOfType(record, type)),
        truncated: reply.flag_tc,
      });
    },
  };
}

/** A message as the library decodes it. The declarations of the library leave out the opcode and the response code. */
type Message = DnsPacket.DecodedPacket & { readonly opcode: string; readonly rcode: string };

function decodeMessage({ decode }: DnsPacketLibrary, data: Uint8Array): Message {
  try {
    return decode(Buffer.from(data)) as Message;
  } catch {
    // On bytes that are no message the library throws errors of any class, for example a RangeError. Their texts are about
    // the library, and not about the reply.
    throw new MalformedReply(`its ${data.length} bytes cannot be read as a DNS message`);
  }
}

/**
 * Whether a reply has the question of the query, and no second one. The bytes are compared, because two different names
 * can decode to the same text. Upper and lower case are equal (RFC 4343).
 */
function repeatsQuestion(request: Uint8Array, reply: Uint8Array): boolean {
  const asked = lowerCase(request.subarray(QUESTION_OFFSET));
  return (
    asked.equals(lowerCase(reply.subarray(QUESTION_OFFSET, QUESTION_OFFSET + asked.length))) &&
    Buffer.from(reply).readUInt16BE(QUESTION_COUNT_OFFSET) === 1
  );
}

function lowerCase(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte)));
}

/**
 * The maximum number of bytes of a name in its written form. On the wire it has two more, 255 (RFC 1035 section 2.3.4).
 */
const MAX_NAME_BYTES = 253;
const MAX_LABEL_BYTES = 63;

/** Reads a domain name, with or without its last dot. `.` is the root. @throws {ArgumentError} */
export const readDomainName = nameReader(
  /^[\w*-]+$/,
  'it must be a name such as example.com, in ASCII, of labels of 1 to 63 letters, digits, - and _',
);

/**
 * Reads a name of multicast DNS. Its labels may be any UTF-8 text (RFC 6762 section 16, RFC 6763 section 4.1.1).
 *
 * @throws {ArgumentError}
 */
export const readServiceName = nameReader(
  /^\P{Cc}+$/u,
  'it must be a name such as _ipp._tcp.local, of labels of 1 to 63 bytes without control characters',
);

function nameReader(label: RegExp, accepted: string): (text: string) => string {
  return (text) => {
    const name = text === '.' ? '.' : text.replace(/\.$/, '');
    const labels = name === '.' ? [] : name.split('.');
    const fits = labels.every((part) => label.test(part) && Buffer.byteLength(part) <= MAX_LABEL_BYTES);
    if (!fits || Buffer.byteLength(name) > MAX_NAME_BYTES) throw new ArgumentError(accepted);
    return name;
  };
}

/** Returns the number of records of the answer section in words: `1 answer`, `3 answers`. */
export function countAnswers({ length }: readonly DnsPacket.Answer[]): string {
  return `${length} ${length === 1 ? 'answer' : 'answers'}`;
}
