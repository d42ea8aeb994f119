import type { Finding } from './judge.js';

/** The most numbers of answers that are told. */
const MAX_TOLD = 5;

/** Compares replies with the answers in a recording: each must be one of those that are still to come, byte for byte. */
export class RecordedAnswers {
  /** Numbers of the answers that are still to come, by their bytes. */
  readonly #expected = new Map<string, number[]>();
  #count = 0;
  #replies = 0;

  /** How many answers the recording holds, as far as it was read. */
  get count(): number {
    return this.#count;
  }

  /** Takes in an answer of the recording, before the request is sent that it may answer. */
  expect(data: Uint8Array): void {
    this.#count += 1;
    const key = keyOf(data);
    const numbers = this.#expected.get(key);
    if (numbers === undefined) this.#expected.set(key, [this.#count]);
    else numbers.push(this.#count);
  }

  /** Whether a reply is one of those answers; each counts once. */
  readonly judge = (data: Uint8Array): Finding => {
    this.#replies += 1;
    const key = keyOf(data);
    const numbers = this.#expected.get(key);
    if (numbers === undefined) {
      const size = `${data.length} ${data.length === 1 ? 'byte' : 'bytes'}`;
      return { outcome: 'mismatch', says: `reply ${this.#replies}, of ${size}, differs from the recording` };
    }
    const number = numbers.shift() ?? 0;
    if (numbers.length === 0) this.#expected.delete(key);
    return { outcome: 'match', says: `reply ${this.#replies} is answer ${number} of the recording` };
  };

  /** Which answers did not come, in words; undefined if all did. */
  get missing(): string | undefined {
    const numbers = [...this.#expected.values()].flat().sort((a, b) => a - b);
    if (numbers.length === 0) return undefined;
    const told = numbers.slice(0, MAX_TOLD).join(', ');
    const more = numbers.length > MAX_TOLD ? ` and ${numbers.length - MAX_TOLD} more` : '';
    return `${numbers.length === 1 ? 'answer' : 'answers'} ${told}${more} of ${this.#count} did not come as recorded`;
  }
}

function keyOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
}
