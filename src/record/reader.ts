import { ByteWindow } from './byte-window.js';
import { CaptureError } from './capture-error.js';
import type { CapturedDatagram } from './captured-datagram.js';
import type { Decoder } from './formats/decoder.js';
import { createDecoder, MAGIC_BYTES } from './formats/decoders.js';
import { Decompression } from './compression/decompression.js';
import { PacketDecoder } from './packets/packet-decoder.js';
import { SkipTally } from './skip-tally.js';

/**
 * Reads the datagrams of a recording, in its order. The format is pcap, pcapng or JSON lines, known by its first bytes.
 * The file may be compressed by gzip, or by zstd (Node 22.15 and later). Yields an array of the datagrams that one
 * chunk completes. Memory: one chunk, one packet, and a bounded number of fragments.
 *
 * A datagram that was captured twice, for example on two interfaces, is yielded twice. If it was in fragments, it is
 * yielded once. Datagrams that segmentation offload had joined are yielded as one, with `mayBeJoined` if the capture
 * shows it.
 *
 * @param input Chunks of any size. Their bytes must not change any more.
 * @param tally Counts the packets that are no whole datagram. It is complete when the reading has ended or failed.
 * @throws {CaptureError} at the first error; the datagrams before it were yielded
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
