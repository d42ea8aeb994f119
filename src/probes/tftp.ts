import { ArgumentError, optional } from './arguments.js';
import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const READ_REQUEST = 1;
const DATA = 3;
const ERROR = 5;
const OPTION_ACKNOWLEDGEMENT = 6;
const MAX_BLOCK_BYTES = 512;
const MAX_ERROR = 8;
/**
 * The maximum number of bytes of a file name. A request has 512 bytes (RFC 2347); the others are its operation, mode and
 * zeros.
 */
const MAX_FILE_BYTES = 503;

/**
 * Asks for the first block of a file. An error is a success, too, for example "File not found" (RFC 1350 sections 4, 5
 * and 7).
 */
export const tftp = defineProbe({
  summary: 'the first block of a file, or that it is not there',
  proves:
    'A server at that host answered a read request, with data or with an error such as a missing file: either way it is ' +
    'alive. With -e hex --expect 00030001 only data is a success. The protocol has no request ids: only the host ' +
    'and our port show that the reply belongs to this request.',
  source: 'RFC 1350 sections 4, 5 and 7, RFC 2347',
  port: 69,
  // The server replies from a new port for each transfer (RFC 1350 section 4).
  repliesFrom: 'host',
  arguments: {
    file: optional('the file to ask for', readFileName, 'udpcat'),
  },
  start({ file }) {
    return {
      request: Buffer.from(`\0${String.fromCharCode(READ_REQUEST)}${file}\0octet\0`),
      judge: (data) => {
        const reader = new ByteReader(data);
        const operation = reader.u16();
        if (operation === DATA) {
          const block = reader.u16();
          if (reader.left > MAX_BLOCK_BYTES) throw new MalformedReply(`its block is ${reader.left} bytes long`);
          if (block !== 1) return mismatch(`the data is of block ${block}, not the first`);
          return match(`data, ${reader.left} ${reader.left === 1 ? 'byte' : 'bytes'}`);
        }
        if (operation === ERROR) {
          const code = reader.u16();
          const message = reader.untilZero().toString('utf8');
          if (reader.left > 0) throw new MalformedReply('something follows its end');
          if (code > MAX_ERROR) throw new MalformedReply(`its error code is ${code}`);
          return match(`error ${code} ${message}`.trimEnd());
        }
        if (operation === OPTION_ACKNOWLEDGEMENT) return mismatch('the reply acknowledges options, and none were sent');
        throw new MalformedReply(`its operation is ${operation}`);
      },
    };
  },
});

/** Reads a file name. It must not have control characters: a zero byte would end it. @throws {ArgumentError} */
function readFileName(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are refused here
  if (text === '' || /[\0-\x1f\x7f]/.test(text) || Buffer.byteLength(text) > MAX_FILE_BYTES) {
    throw new ArgumentError(`it must be 1 to ${MAX_FILE_BYTES} bytes, without control characters`);
  }
  return text;
}
