import { createHash, createHmac, randomBytes } from 'node:crypto';
import { readText, required, secret } from './arguments.js';
import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const STATUS_SERVER = 12;
/** Names of replies by their code (RFC 2865 section 4, RFC 2866 section 4). */
const REPLIES: Readonly<Record<number, string>> = {
  2: 'Access-Accept',
  3: 'Access-Reject',
  5: 'Accounting-Response',
  11: 'Access-Challenge',
};
/**
 * Codes of the replies of a server that is up: on its authentication port, and on its accounting port (RFC 5997
 * section 3).
 */
const SUCCESSES = [2, 5];

/** Bytes of code, identifier, length and authenticator. */
const HEADER_BYTES = 20;
const REPLY_MESSAGE = 18;
const MESSAGE_AUTHENTICATOR = 80;
/** The maximum number of characters of a reply's text that are shown. */
const MAX_TEXT = 80;

/**
 * Asks a RADIUS server whether it is up (RFC 5997; packets: RFC 2865 section 3; Message-Authenticator: RFC 3579 3.2).
 */
export const radius = defineProbe({
  summary: 'whether a RADIUS server is up (Status-Server)',
  proves:
    'A server that knows the secret answered this request. This does not prove that anybody can log in: ' +
    'the probe asks about no user. ' +
    'A server with another secret, or that does not know this client, is silent.',
  source: 'RFC 5997, RFC 2865 section 3, RFC 3579 section 3.2',
  port: 1812,
  repliesFrom: 'peer',
  arguments: {
    secret: secret(required('the secret shared with the server', readText, 'env:RADIUS_SECRET')),
  },
  start({ secret: key }) {
    const [id = 0] = randomBytes(1);
    const authenticator = randomBytes(16);
    const unsigned = Buffer.from([
      STATUS_SERVER,
      id,
      0,
      HEADER_BYTES + 18,
      ...authenticator,
      MESSAGE_AUTHENTICATOR,
      18,
    ]);
    return {
      request: Buffer.concat([unsigned, messageAuthenticator(key, unsigned)]),
      judge: (data) => {
        const reader = new ByteReader(data);
        const code = reader.u8();
        const replyId = reader.u8();
        const length = reader.u16();
        const replyAuthenticator = reader.bytes(16);
        const name = REPLIES[code];
        if (name === undefined) throw new MalformedReply(`its code ${code} is not that of a reply`);
        if (length < HEADER_BYTES) throw new MalformedReply(`it says that it has ${length} bytes`);
        // Bytes behind the length are padding, and are ignored (RFC 2865 section 3).
        const attributes = reader.bytes(length - HEADER_BYTES);
        if (replyId !== id) return mismatch('the reply is to another request: its identifier differs');
        // Both authenticators of a reply are computed over the reply with the authenticator of the request in its
        // place.
        const header = Buffer.concat([data.subarray(0, 4), authenticator]);
        const digest = createHash('md5').update(header).update(attributes).update(key).digest();
        if (!digest.equals(replyAuthenticator)) {
          return mismatch(
            'its Response Authenticator is wrong: the secret differs, or it is a reply to another request',
          );
        }
        const message = readMessage(key, header, attributes);
        if (!SUCCESSES.includes(code)) return mismatch(`${name}${message}`);
        return match(`${name}${message}`);
      },
    };
  },
});

/** Checks the attributes of a reply. Returns its first Reply-Message, quoted; empty if it has none. */
function readMessage(key: string, header: Buffer, attributes: Buffer): string {
  const reader = new ByteReader(attributes);
  let message = '';
  while (reader.left > 0) {
    const type = reader.u8();
    const length = reader.u8();
    if (length < 2) throw new MalformedReply(`it has an attribute of ${length} bytes`);
    const value = reader.bytes(length - 2);
    if (type === REPLY_MESSAGE && message === '') message = `, "${value.toString('utf8').slice(0, MAX_TEXT)}"`;
    if (type !== MESSAGE_AUTHENTICATOR) continue;
    const after = attributes.subarray(attributes.length - reader.left);
    const before = attributes.subarray(0, attributes.length - after.length - value.length);
    if (!messageAuthenticator(key, Buffer.concat([header, before]), after).equals(value)) {
      throw new MalformedReply('its Message-Authenticator is wrong');
    }
  }
  return message;
}

/**
 * Computes a Message-Authenticator (RFC 3579 section 3.2).
 *
 * @param before The packet up to the value.
 * @param after The packet behind the value.
 */
function messageAuthenticator(key: string, before: Buffer, after: Buffer = Buffer.alloc(0)): Buffer {
  return createHmac('md5', key).update(before).update(Buffer.alloc(16)).update(after).digest();
}
