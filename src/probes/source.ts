import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch, pending } from './probe.js';

/** The first four bytes of a message in one datagram. */
const SINGLE = 0xffff_ffff;
const REQUEST = Buffer.from('\xff\xff\xff\xffTSource Engine Query\0', 'latin1');
const CHALLENGE = 0x41;
const INFO = 0x49;
/** The type of the reply of older GoldSource servers. */
const OBSOLETE_INFO = 0x6d;
/** The id of the game The Ship. Its servers send three more bytes. */
const THE_SHIP = 2400;

/** Asks a game server for its status (Valve Developer Wiki "Server queries": A2S_INFO, S2C_CHALLENGE). */
export const source = defineProbe({
  summary: 'the status of a game server of the Source or GoldSource engine',
  proves:
    'A server at that address told its name, map and players. The protocol has no request ids: only the address ' +
    'shows that the reply belongs to this request.',
  source: 'Valve Developer Wiki Server queries, A2S_INFO and S2C_CHALLENGE',
  port: 27015,
  repliesFrom: 'peer',
  arguments: {},
  start() {
    return {
      request: REQUEST,
      judge: (data) => {
        const reader = new ByteReader(data);
        if (reader.u32() !== SINGLE) throw new MalformedReply('it does not begin with ff ff ff ff');
        const type = reader.u8();
        if (type === CHALLENGE) {
          const challenge = reader.bytes(4);
          checkEnd(reader);
          return pending('the server wants its challenge repeated', Buffer.concat([REQUEST, challenge]));
        }
        if (type === INFO) return match(readInfo(reader));
        if (type === OBSOLETE_INFO) return match(readObsoleteInfo(reader));
        return mismatch(`the reply is no information about the server: its type is ${type}`);
      },
    };
  },
});

function readInfo(reader: ByteReader): string {
  reader.u8(); // protocol
  const [name, map] = [readText(reader), readText(reader)];
  reader.untilZero(); // folder
  reader.untilZero(); // game
  const id = reader.bytes(2).readUInt16LE();
  const players = readPlayers(reader);
  reader.bytes(5); // bots, type, environment, visibility, VAC
  if (id === THE_SHIP) reader.bytes(3); // mode, witnesses, duration
  reader.untilZero(); // version
  // Older servers end here.
  const extra = reader.left > 0 ? reader.u8() : 0;
  if ((extra & 0x80) !== 0) reader.bytes(2); // port
  if ((extra & 0x10) !== 0) reader.bytes(8); // Steam id
  if ((extra & 0x40) !== 0) {
    reader.bytes(2); // port of the spectators
    reader.untilZero(); // name of the spectators' server
  }
  if ((extra & 0x20) !== 0) reader.untilZero(); // keywords
  if ((extra & 0x01) !== 0) reader.bytes(8); // id of the game
  checkEnd(reader);
  return describe(name, map, players);
}

function readObsoleteInfo(reader: ByteReader): string {
  reader.untilZero(); // address
  const [name, map] = [readText(reader), readText(reader)];
  reader.untilZero(); // folder
  reader.untilZero(); // game
  const players = readPlayers(reader);
  reader.bytes(4); // protocol, type, environment, visibility
  if (reader.u8() === 1) {
    reader.untilZero(); // address of the modification
    reader.untilZero(); // where it can be fetched
    reader.bytes(11); // a zero, version, size, type, library
  }
  reader.bytes(2); // VAC, bots
  checkEnd(reader);
  return describe(name, map, players);
}

function readText(reader: ByteReader): string {
  return reader.untilZero().toString('utf8');
}

/** Reads the number of players and its maximum: `3/16 players`. */
function readPlayers(reader: ByteReader): string {
  const players = reader.u8();
  return `${players}/${reader.u8()} players`;
}

function checkEnd({ left }: ByteReader): void {
  if (left > 0) throw new MalformedReply('something follows its end');
}

function describe(name: string, map: string, players: string): string {
  return `${name}, map ${map}, ${players}`;
}
