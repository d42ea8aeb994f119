import { formatEndpoint } from '../net/index.js';
import { optional, readInteger, readPrintable } from './arguments.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const EVERYTHING = 'ssdp:all';

/** Searches for UPnP devices and services (UPnP Device Architecture 2.0 sections 1.3.2 and 1.3.3). */
export const ssdp = defineProbe({
  summary: 'a search for UPnP devices (239.255.255.250, ff02::c)',
  proves:
    'A device says that it has what was searched for, and where its description is. This does not prove that it ' +
    'answered this search: a reply holds only the target of the search.',
  source: 'UPnP Device Architecture 2.0 sections 1.3.2 and 1.3.3',
  port: 1900,
  repliesFrom: 'host',
  arguments: {
    st: optional('the search target', readPrintable(256), EVERYTHING),
    mx: optional(
      'the longest that a device may take to answer, in seconds; let --wait be longer',
      readInteger(1, 5),
      '1',
    ),
  },
  start({ st, mx }, { remote }) {
    const request = [
      'M-SEARCH * HTTP/1.1',
      // A zone has a meaning on this host only (RFC 6874 section 1).
      `HOST: ${formatEndpoint(remote).replace(/%[^\]]*/, '')}`,
      'MAN: "ssdp:discover"',
      // Only a search by multicast needs it. It is always sent, because some devices do not reply without it.
      `MX: ${mx}`,
      `ST: ${st}`,
    ];
    return {
      request: Buffer.from(`${request.join('\r\n')}\r\n\r\n`),
      judge: (data) => {
        const { status, field } = readResponse(data);
        if (status !== '200') return mismatch(`status ${status}`);
        const [target, location, server] = [field('ST'), field('LOCATION'), field('SERVER')];
        if (target === '' || field('USN') === '') throw new MalformedReply('it has no ST or no USN');
        if (st !== EVERYTHING && target !== st) return mismatch(`the reply is to another search: its ST is ${target}`);
        if (!URL.canParse(location)) return mismatch(`${target}: its LOCATION is no URL`);
        return match(`${target} at ${location}${server === '' ? '' : `, ${server}`}`);
      },
    };
  },
});

/** An HTTP response in one datagram. */
interface Response {
  readonly status: string;
  /** Returns the value of a header field; empty if the response does not have the field. */
  readonly field: (name: string) => string;
}

/** Parses an HTTP/1.1 response. @throws {MalformedReply} if it is none */
function readResponse(data: Uint8Array): Response {
  const text = Buffer.from(data).toString('utf8');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) throw new MalformedReply('its header has no end');
  const [start = '', ...lines] = text.slice(0, end).split('\r\n');
  const [, status] = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(start) ?? [];
  if (status === undefined) throw new MalformedReply('it is no response of HTTP/1.1');
  const fields = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 1) throw new MalformedReply('a line of its header is no field');
    fields.set(line.slice(0, colon).toUpperCase(), line.slice(colon + 1).trim());
  }
  return { status, field: (name) => fields.get(name) ?? '' };
}
