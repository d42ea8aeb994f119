import { randomBytes } from 'node:crypto';
import { ByteReader } from './byte-reader.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const UNCONNECTED_PING = 0x01;
const UNCONNECTED_PONG = 0x1c;
/** A constant in all RakNet messages outside a connection. */
const MAGIC = Buffer.from('00ffff00fefefefefdfdfdfd12345678', 'hex');
const EDITIONS: Readonly<Record<string, string>> = { MCPE: 'Bedrock', MCEE: 'Education' };

/** Sends the ping of Minecraft's server list (minecraft.wiki "RakNet": Unconnected Ping, Unconnected Pong). */
export const minecraft = defineProbe({
  summary: 'the status of a Minecraft Bedrock server',
  proves:
    'The server answered this ping with its version and players. This does not prove that anyone ' +
    'can join. The Java edition has another protocol.',
  source: 'minecraft.wiki RakNet, Unconnected Ping and Unconnected Pong',
  port: 19132,
  repliesFrom: 'peer',
  arguments: {},
  start() {
    // The server copies this field to its reply, and does not read it. A random value shows which request a reply is
    // to.
    const time = randomBytes(8);
    const guid = randomBytes(8);
    return {
      request: Buffer.concat([Buffer.of(UNCONNECTED_PING), time, MAGIC, guid]),
      judge: (data) => {
        const reader = new ByteReader(data);
        const type = reader.u8();
        if (type !== UNCONNECTED_PONG) throw new MalformedReply(`its type is ${type}, not ${UNCONNECTED_PONG}`);
        const echoed = reader.bytes(8);
        reader.bytes(8); // the server's GUID
        if (!reader.bytes(MAGIC.length).equals(MAGIC)) throw new MalformedReply('its magic bytes differ');
        const length = reader.u16();
        if (length !== reader.left) throw new MalformedReply(`its text is ${reader.left} bytes long, not ${length}`);
        if (!echoed.equals(time)) return mismatch('the reply is to another ping: its time differs');
        return match(describeServer(reader.rest().toString('utf8')));
      },
    };
  },
});

/** Describes a server, from its text `edition;message of the day;protocol;version;players;most players;...`. */
function describeServer(text: string): string {
  // PocketMine writes a semicolon within a field as `\;`.
  const [edition = '', motd = '', , version = '', players = '', most = ''] = text.split(/(?<!\\);/);
  const name = Object.hasOwn(EDITIONS, edition) ? EDITIONS[edition] : undefined;
  if (name === undefined) throw new MalformedReply(`its edition is ${edition}`);
  if (![players, most].every((count) => /^\d{1,10}$/.test(count))) throw new MalformedReply('it counts no players');
  // A section sign and a letter are a colour code.
  const plain = motd.replaceAll('\\;', ';').replace(/§./gu, '');
  return `${plain}, ${name} ${version}, ${players}/${most} players`;
}
