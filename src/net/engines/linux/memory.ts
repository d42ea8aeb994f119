/**
 * Memory that system calls read and write: it does not move while this object lives, and its address is known.
 * Addresses are plain numbers: those of user space on x64 and arm64 are below 2^53.
 */
export class Memory {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  /** @param addressOf tells the address of a buffer */
  constructor(bytes: number, addressOf: (buffer: ArrayBuffer) => number) {
    const buffer = new ArrayBuffer(bytes);
    this.address = addressOf(buffer);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  /** Writes an address where a structure has a pointer. */
  setPointer(offset: number, address: number): void {
    this.view.setUint32(offset, address >>> 0, true);
    this.view.setUint32(offset + 4, Math.floor(address / 0x1_0000_0000), true);
  }

  /** Writes a number below 2^32 where a structure has a `size_t`. */
  setSize(offset: number, size: number): void {
    this.view.setUint32(offset, size, true);
    this.view.setUint32(offset + 4, 0, true);
  }
}
