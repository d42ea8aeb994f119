import { randomBytes, randomInt } from 'node:crypto';
import { type Endpoint, formatEndpoint } from '../net/index.js';
import { ArgumentError, optional } from './arguments.js';
import { defineProbe, MalformedReply, match, mismatch, pending } from './probe.js';

/** The value of the argument `uri` that means the destination. */
const DESTINATION = '-';
/** The maximum number of characters of a reason, or of the name of the software, that are shown. */
const MAX_TOLD = 80;
/** Short names of the header fields that are read (RFC 3261 section 7.3.3). */
const COMPACT_NAMES: ReadonlyMap<string, string> = new Map([
  ['v', 'via'],
  ['i', 'call-id'],
  ['f', 'from'],
  ['l', 'content-length'],
]);

/** Asks a SIP server for its capabilities, without a call (RFC 3261 section 11). */
export const sip = defineProbe({
  summary: 'OPTIONS to a SIP server',
  proves:
    'The server answered this request, and takes requests for that URI. This does not prove that a call gets through.',
  source: 'RFC 3261 sections 7, 8, 11 and 18, RFC 3581 section 3',
  port: 5060,
  repliesFrom: 'peer',
  arguments: {
    uri: optional(`the URI asked about; ${DESTINATION} is sip:HOST:PORT of the destination`, readUri, DESTINATION),
  },
  start({ uri }, { local, remote }) {
    const target = uri === DESTINATION ? `sip:${hostPort(remote)}` : uri;
    const self = hostPort(local);
    // A branch that begins with these letters is unique to its request (section 8.1.1.7).
    const branch = `z9hG4bK${randomBytes(12).toString('hex')}`;
    const tag = randomBytes(8).toString('hex');
    const callId = randomBytes(16).toString('hex');
    const sequence = randomInt(1, 0x8000_0000);
    const request = [
      `OPTIONS ${target} SIP/2.0`,
      // "rport" asks for the reply at the port from which the request came (RFC 3581).
      `Via: SIP/2.0/UDP ${self};branch=${branch};rport`,
      'Max-Forwards: 70',
      `To: <${target}>`,
      `From: <sip:udpcat@${self}>;tag=${tag}`,
      `Call-ID: ${callId}`,
      `CSeq: ${sequence} OPTIONS`,
      `Contact: <sip:udpcat@${self}>`,
      'Accept: application/sdp',
      'Content-Length: 0',
    ];
    return {
      request: Buffer.from(`${request.join('\r\n')}\r\n\r\n`),
      judge: (data) => {
        const { code, status, fields } = parseResponse(Buffer.from(data));
        // A reply with more than one Via is for another host (section 8.1.3.3).
        const via = only(fields, 'via');
        const [, number, method] = /^(\d+)\s+(\S+)$/.exec(only(fields, 'cseq')) ?? [];
        const same = {
          branch: hasParameter(via, 'branch', branch),
          'Call-ID': only(fields, 'call-id') === callId,
          CSeq: Number(number) === sequence && method === 'OPTIONS',
          'From tag': hasParameter(only(fields, 'from'), 'tag', tag),
        };
        const different = Object.entries(same).find(([, isSame]) => !isSame);
        if (different !== undefined) return mismatch(`the reply is to another request: its ${different[0]} differs`);
        if (code < 200) return pending(status);
        if (code >= 300) return mismatch(status);
        const software = fields.get('server')?.[0] ?? fields.get('user-agent')?.[0] ?? '';
        return match(software === '' || software.length > MAX_TOLD ? status : `${status}, ${software}`);
      },
    };
  },
});

/** Reads a SIP URI. Checks only that it has no characters that would end it in the request. @throws {ArgumentError} */
function readUri(text: string): string {
  if (text !== DESTINATION && !(/^sip:[!-~]{1,255}$/i.test(text) && !/[<>"]/.test(text))) {
    throw new ArgumentError(`it must be ${DESTINATION} or a URI such as sip:alice@example.com`);
  }
  return text;
}

/** Formats an endpoint as SIP writes it. */
function hostPort({ address, port }: Endpoint): string {
  // The own address is not known. A reserved name stands in (RFC 2606): the server replies to the source address.
  if (address === '0.0.0.0' || address === '::') return `udpcat.invalid:${port}`;
  // A zone has a meaning on this host only, and SIP's grammar does not allow it.
  return formatEndpoint({ address: address.replace(/%.*/s, ''), port });
}

/** A SIP response. */
interface Response {
  readonly code: number;
  /** The code with its reason, for example `200 OK`. */
  readonly status: string;
  /** The values of the header fields, by their full names in lower case. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** Parses a response (RFC 3261 section 7). @throws {MalformedReply} if it is none */
function parseResponse(message: Buffer): Response {
  const end = message.indexOf('\r\n\r\n');
  // A line that begins with white space continues the one before it.
  const head = message.toString('utf8', 0, Math.max(0, end)).replace(/\r\n[ \t]+/g, ' ');
  const [first = '', ...lines] = head.split('\r\n');
  const [, code, reason] = /^SIP\/2\.0 ([1-6]\d\d) ([^\r\n]*)$/i.exec(first) ?? [];
  if (code === undefined || reason === undefined) throw new MalformedReply('it does not begin as a SIP response');
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    const [, written, value] = /^([\w.!%*+`'~-]+)[ \t]*:([^\r\n]*)$/.exec(line) ?? [];
    if (written === undefined || value === undefined) throw new MalformedReply('a line in it is no header field');
    const name = written.toLowerCase();
    const fullName = COMPACT_NAMES.get(name) ?? name;
    const values = fields.get(fullName);
    if (values === undefined) fields.set(fullName, [value.trim()]);
    else values.push(value.trim());
  }
  checkLength(fields, message.length - end - 4);
  return { code: Number(code), status: `${code} ${reason.slice(0, MAX_TOLD)}`.trim(), fields };
}

/**
 * Checks that the body is whole. Bytes behind it are ignored (section 18.3).
 *
 * @throws {MalformedReply} if it is cut off
 */
function checkLength(fields: Response['fields'], bodyBytes: number): void {
  if (!fields.has('content-length')) return;
  const length = only(fields, 'content-length');
  if (!/^\d{1,9}$/.test(length) || Number(length) > bodyBytes) {
    throw new MalformedReply(`its body has ${bodyBytes} bytes, and its Content-Length is ${length}`);
  }
}

/** Returns the value of a field. @throws {MalformedReply} if the message does not have the field exactly once */
function only(fields: Response['fields'], name: string): string {
  const [value, ...more] = (fields.get(name) ?? []).flatMap((written) =>
    name === 'via' ? written.split(',') : written,
  );
  if (value === undefined) throw new MalformedReply(`it has no ${name}`);
  if (more.length > 0) throw new MalformedReply(`it has more than one ${name}`);
  return value;
}

/** Whether the value of a field has a parameter. Upper and lower case are equal (section 7.3.1). */
function hasParameter(value: string, name: string, expected: string): boolean {
  return new RegExp(`;\\s*${name}\\s*=\\s*${expected}\\s*(?:;|$)`, 'i').test(value);
}
