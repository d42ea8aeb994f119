import { randomBytes, randomInt } from 'node:crypto';
import type * as CoapPacket from 'coap-packet';
import type { Finding } from '../check/finding.js';
import { ArgumentError, optional } from './arguments.js';
import { defineProbe, MalformedReply, match, mismatch, pending } from './probe.js';

/** The value of the argument `path` that asks for a ping. */
const PING = '-';
/** The maximum number of bytes of a path: so the request stays below the 1152 bytes of RFC 7252 section 4.6. */
const MAX_PATH_BYTES = 900;
const MAX_OPTION_BYTES = 255;
/**
 * The maximum number of bytes of a reply: far above the 1152 bytes of section 4.6. A longer reply could take long to
 * parse.
 */
const MAX_MESSAGE_BYTES = 4096;
const EMPTY = '0.00';
/** Codes of responses to a GET (RFC 7252 section 12.1.2; 4.08: RFC 7959 section 2.9.2; 4.29: RFC 8516). */
const CODES: Readonly<Record<string, string>> = {
  '2.03': 'Valid',
  '2.05': 'Content',
  '4.00': 'Bad Request',
  '4.01': 'Unauthorized',
  '4.02': 'Bad Option',
  '4.03': 'Forbidden',
  '4.04': 'Not Found',
  '4.05': 'Method Not Allowed',
  '4.06': 'Not Acceptable',
  '4.08': 'Request Entity Incomplete',
  '4.12': 'Precondition Failed',
  '4.13': 'Request Entity Too Large',
  '4.15': 'Unsupported Content-Format',
  '4.29': 'Too Many Requests',
  '5.00': 'Internal Server Error',
  '5.01': 'Not Implemented',
  '5.02': 'Bad Gateway',
  '5.03': 'Service Unavailable',
  '5.04': 'Gateway Timeout',
  '5.05': 'Proxying Not Supported',
};

/** Codes that say a success, and of no GET (RFC 7252 section 12.1.2; 2.31: RFC 7959 section 2.9.1). 2.00 is no code at all. */
const NO_SUCCESS_OF_GET: Readonly<Record<string, string>> = {
  '2.00': ', which is no code of a response',
  '2.01': ' Created, which is no response to a GET',
  '2.02': ' Deleted, which is no response to a GET',
  '2.04': ' Changed, which is no response to a GET',
  '2.31': ' Continue, which is no response to a GET',
};
const VERSION = 1;
const HEADER_BYTES = 4;

type Library = typeof CoapPacket;
type Option = CoapPacket.NamedOption;

/** A ping to a CoAP endpoint, or a GET of one of its resources (RFC 7252). */
export const coap = defineProbe({
  summary: 'a ping to a CoAP endpoint, or a GET',
  proves:
    'Without a path: a CoAP endpoint is there, since it rejected an empty message. With one: the server answered this ' +
    'request with a success; of a large resource only the first block was seen.',
  source: 'RFC 7252 sections 3, 4.2, 4.3, 5.2, 5.3 and 6.4',
  port: 5683,
  repliesFrom: 'peer',
  arguments: {
    path: optional(`the path, and query, to GET, such as /.well-known/core; ${PING} is a ping`, readPath, PING),
  },
  async start({ path }) {
    const library = await import('coap-packet');
    const messageId = randomInt(0x1_0000);
    return path === PING ? ping(library, messageId) : get(library, messageId, optionsOf(path));
  },
});

/** A ping: an empty confirmable message. The server can only reject it, with a Reset (section 4.3). */
function ping(library: Library, messageId: number) {
  return {
    request: library.generate({ code: EMPTY, confirmable: true, messageId }),
    judge: (data: Uint8Array) => {
      const reply = parseMessage(library, data);
      if (!reply.reset) throw new MalformedReply(`it is no Reset, but ${reply.code}`);
      if (reply.messageId !== messageId) return mismatch('the reply is to another message: its id differs');
      return match('answered the ping');
    },
  };
}

/** A confirmable GET. The response comes in the acknowledgement, or after it (sections 5.2.1 and 5.2.2). */
function get(library: Library, messageId: number, options: Option[]) {
  const token = randomBytes(8);
  return {
    request: library.generate({ code: 'GET', confirmable: true, messageId, token, options }),
    judge: (data: Uint8Array) => {
      const reply = parseMessage(library, data);
      const { code, confirmable, ack, reset } = reply;
      if ((ack || reset) && reply.messageId !== messageId) {
        return mismatch('the reply is to another message: its id differs');
      }
      if (reset) return mismatch('the request was rejected with a Reset');
      if (ack && code === EMPTY) return pending('acknowledged, and the response is to follow');
      if (!/^[245]/.test(code)) throw new MalformedReply(`its code is ${code}, which is no response`);
      if (!reply.token.equals(token)) return mismatch('the reply is to another request: its token differs');
      const finding = judgeCode(code, reply.payload.length);
      if (!confirmable) return finding;
      return { ...finding, followUp: library.generate({ code: EMPTY, ack: true, messageId: reply.messageId }) };
    },
  };
}

/** An unknown code of class 2 is a success, too (RFC 7252 section 5.9). */
function judgeCode(code: string, payloadBytes: number): Finding {
  const wrong = NO_SUCCESS_OF_GET[code];
  if (wrong !== undefined) return mismatch(`the code of the reply is ${code}${wrong}`);
  const status = [code, CODES[code]].join(' ').trim();
  return code.startsWith('2') ? match(`${status}, ${payloadBytes} bytes`) : mismatch(status);
}

/** Parses a message. @throws {MalformedReply} */
function parseMessage({ generate, parse }: Library, data: Uint8Array): CoapPacket.ParsedPacket {
  if (data.length > MAX_MESSAGE_BYTES) throw new MalformedReply(`it has ${data.length} bytes, which no server sends`);
  const bytes = Buffer.from(data);
  if (bytes.length < HEADER_BYTES) throw new MalformedReply(`it ends after ${bytes.length} bytes`);
  const version = bytes.readUInt8(0) >> 6;
  if (version !== VERSION) throw new MalformedReply(`its version is ${version}, not ${VERSION}`);
  let message: CoapPacket.ParsedPacket;
  let again: Buffer;
  try {
    message = parse(bytes);
    again = generate(message, Infinity);
  } catch {
    // On bytes that are no message the library throws errors of any class, for example a RangeError. Their texts are about
    // the library, and not about the reply.
    throw new MalformedReply('its token, its options or its payload cannot be read');
  }
  // The library accepts options and tokens that are cut off, and a payload marker without a payload. Each message has
  // only one encoding (section 3). So a message is encoded again: if the bytes differ, it was not valid.
  if (!again.equals(bytes)) throw new MalformedReply('its options or its payload are cut short');
  if (message.reset && message.code !== EMPTY) throw new MalformedReply('it is a Reset that is not empty');
  return message;
}

/** Reads a path; a query may follow a question mark. @throws {ArgumentError} */
function readPath(text: string): string {
  if (text === PING) return text;
  try {
    const fits = optionsOf(text).every(({ value }) => value.length <= MAX_OPTION_BYTES);
    if (text.startsWith('/') && Buffer.byteLength(text) <= MAX_PATH_BYTES && fits) return text;
  } catch {
    // decodeURIComponent() throws for a percent sign without two digits. The error below tells the user.
  }
  throw new ArgumentError(
    `it must be ${PING} or a path such as /.well-known/core, with at most ${MAX_OPTION_BYTES} bytes between two slashes and ` +
      `${MAX_PATH_BYTES} in all`,
  );
}

/** Converts a path and its query to options (section 6.4). @throws {URIError} if a percent sign has no two digits */
function optionsOf(text: string): Option[] {
  const [, path = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(text) ?? [];
  const segments = path === '/' ? [] : path.slice(1).split('/');
  const terms = query === undefined ? [] : query.split('&');
  const option = (name: Option['name']) => (part: string) => ({ name, value: Buffer.from(decodeURIComponent(part)) });
  return [...segments.map(option('Uri-Path')), ...terms.map(option('Uri-Query'))];
}
