import { randomInt } from 'node:crypto';
import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const HEADER_BYTES = 8;

/** Sends the command `version` in a UDP frame (memcached's doc/protocol.txt: UDP protocol, version, Error strings). */
export const memcached = defineProbe({
  summary: 'the version of a memcached server',
  proves: 'The server answered this request with its version. This does not prove that it stores anything.',
  source: "memcached's doc/protocol.txt, UDP protocol, version, Error strings",
  port: 11211,
  repliesFrom: 'peer',
  arguments: {},
  start() {
    const id = randomInt(0x1_0000);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt16BE(id, 0);
    header.writeUInt16BE(1, 4); // datagrams of this request
    return {
      request: Buffer.concat([header, Buffer.from('version\r\n')]),
      judge: (data) => {
        const reader = new ByteReader(data);
        const repliedId = reader.u16();
        const sequence = reader.u16();
        const total = reader.u16();
        const reserved = reader.u16();
        const text = reader.rest().toString('utf8');
        if (reserved !== 0) throw new MalformedReply(`its reserved bytes are ${reserved}, not 0`);
        if (repliedId !== id) return mismatch('the reply is to another request: its id differs');
        if (sequence !== 0 || total !== 1) {
          throw new MalformedReply(`it is part ${sequence + 1} of ${total}, and a version needs no second one`);
        }
        const [, line] = /^([^\r\n]+)\r\n$/.exec(text) ?? [];
        if (line === undefined) throw new MalformedReply('it is not one line of text');
        const [, version] = /^VERSION (.+)$/.exec(line) ?? [];
        if (version !== undefined) return match(`version ${version}`);
        if (/^(ERROR$|(CLIENT|SERVER)_ERROR )/.test(line)) return mismatch(line);
        throw new MalformedReply(`it says ${line}`);
      },
    };
  },
});
