import { ByteWindow } from './byte-window.js';
import { CaptureError } from './capture-error.js';
import type { CapturedDatagram } from './captured-datagram.js';
import type { Decoder } from './formats/decoder.js';
import { createDecoder, MAGIC_BYTES } from './formats/decoders.js';
import { Decompression } from './compression/decompression.js';
import { PacketDecoder } from './packets/packet-decoder.js';
import { SkipTally } from './skip-tally.js';

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
