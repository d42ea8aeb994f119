import { uint32 } from './byte-order.js';
import { ByteWindow } from './byte-window.js';
import { CaptureError } from './capture-error.js';
import type { CapturedDatagram } from './captured-datagram.js';
import type { Decoder } from './formats/decoder.js';
import type { Packet } from './packets/packet.js';
import { Decompression } from './compression/decompression.js';
import { JsonlDecoder } from './formats/jsonl-decoder.js';
import { PacketDecoder } from './packets/packet-decoder.js';
import { PcapDecoder } from './formats/pcap-decoder.js';
import { PcapngDecoder } from './formats/pcapng-decoder.js';
import { SkipTally } from './skip-tally.js';

/** Bytes that tell the format. */
const MAGIC_BYTES = 4;

/**
 * The datagrams of a recording, in its order, in arrays of those that one chunk completes: pcap, pcapng or JSON lines,
 * told apart by how it begins; compressed by gzip as well, or by zstd where Node knows it. It holds no more in memory than
 * the chunk, the packet it is at, and the fragments of incomplete datagrams, which are bounded.
 *
 * A datagram that the capture saw twice, for example on two interfaces, comes twice; in fragments, once. One that was captured before the
 * kernel had cut it into several (UDP_SEGMENT), or after it had joined several, comes as it was captured: as one, with the
 * hint `mayBeJoined` if it can be told.
 *
 * @param input Chunks of any size, which must not change any more.
 * @param tally Counts the packets that are no whole datagram; complete when the reading has ended, however it did.
 * @throws {CaptureError} At what is broken; all before it was given.
 */
export async function* readCapture(
  input: AsyncIterable<Uint8Array>,
  tally = new SkipTally(),
): AsyncGenerator<readonly CapturedDatagram[], undefined> {
  const window = new ByteWindow();
  const packets = new PacketDecoder(tally);
  let batch: CapturedDatagram[] = [];
  const take = (datagram: CapturedDatagram): void => {
    batch.push(datagram);
  };
  let decoder: Decoder | undefined;
  const decompression = new Decompression(input);

  function* step(work: () => void): Generator<readonly CapturedDatagram[], undefined> {
    let failure: Error | undefined;
    try {
      work();
    } catch (error) {
      failure = error as Error;
      if (error instanceof CaptureError && decompression.wasCompressed) failure = error.ofUncompressed();
    }
    const found = batch;
    batch = [];
    if (found.length > 0) yield found;
    if (failure !== undefined) throw failure;
  }

  try {
    for await (const chunk of decompression.chunks()) {
      window.push(chunk);
      if (window.available === 0) continue;
      yield* step(() => {
        decoder ??= window.available < MAGIC_BYTES ? undefined : createDecoder(window, packets, take);
        decoder?.decode(window);
      });
    }
    if (decoder === undefined && window.available === 0) return;
    yield* step(() => {
      decoder ??= createDecoder(window, packets, take);
      decoder.decode(window);
      decoder.end(window);
    });
  } finally {
    packets.end();
  }
}

function createDecoder(
  window: ByteWindow,
  packets: PacketDecoder,
  take: (datagram: CapturedDatagram) => void,
): Decoder {
  const takePacket = (packet: Packet): void => {
    const datagram = packets.decode(packet);
    if (datagram !== undefined) take(datagram);
  };
  const start = uint32(window.peek(MAGIC_BYTES), 0);
  if (PcapDecoder.recognizes(start)) return new PcapDecoder(takePacket);
  if (PcapngDecoder.recognizes(start)) return new PcapngDecoder(takePacket);
  if (JsonlDecoder.recognizes(start >>> 24)) return new JsonlDecoder(take);
  throw new CaptureError(window.offset, unknownFormat(window));
}

function unknownFormat(window: ByteWindow): string {
  const bytes = Buffer.from(window.peek(MAGIC_BYTES));
  return `what begins with the bytes ${bytes.toString('hex')} is no recording; pcap, pcapng and JSON lines are, and editcap makes pcap of other captures`;
}
