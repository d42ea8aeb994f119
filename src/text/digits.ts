const ZERO = 0x30;

/** Writes a whole number, 0 or more, in decimal. Returns the offset behind it. */
export function writeNumber(value: number, buffer: Uint8Array, at: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits += 1;
  return writePadded(value, digits, buffer, at);
}

/** Writes a whole number, 0 or more, in decimal with as many digits, zeros first. Returns the offset behind it. */
export function writePadded(value: number, digits: number, buffer: Uint8Array, at: number): number {
  const end = at + digits;
  let left = value;
  for (let place = end - 1; place >= at; place -= 1) {
    buffer[place] = ZERO + (left % 10);
    left = Math.floor(left / 10);
  }
  return end;
}

/** Writes the two hex digits of a byte. */
export function writeHexByte(byte: number, buffer: Uint8Array, at: number): void {
  buffer[at] = hexDigit(byte >> 4);
  buffer[at + 1] = hexDigit(byte & 0xf);
}

/** The ASCII code of a hex digit, 0 to 15. */
function hexDigit(value: number): number {
  return value + (value < 10 ? ZERO : 0x57);
}
