/**
 * Memory for system calls. Its address is known and stays the same while this object lives. An address is a number:
 * addresses of user space on x64 and arm64 are below 2^53.
 */
export class Memory {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;

  /** @param addressOf returns the address of a buffer */
  constructor(bytes: number, addressOf: (buffer: ArrayBuffer) => number) {
    const buffer = new ArrayBuffer(bytes);
    this.address = addressOf(buffer);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
  }

  /** Writes a pointer of 8 bytes. */
  setPointer(offset: number, address: number): void {
    this.view.setUint32(offset, address >>> 0, true);
    this.view.setUint32(offset + 4, Math.floor(address / 0x1_0000_0000), true);
  }

  /** Writes a `size_t` of 8 bytes. `size` is below 2^32. */
  setSize(offset: number, size: number): void {
    this.view.setUint32(offset, size, true);
    this.view.setUint32(offset + 4, 0, true);
  }
}
