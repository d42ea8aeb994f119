/** Properties that are checked a thousand times each. */
import fc from 'fast-check';

/** Asserts that the property holds for a thousand random inputs; a failure names the smallest found and its seed. */
export function holds<Values extends readonly unknown[]>(property: fc.IProperty<Values>): void {
  fc.assert(property as fc.IProperty<unknown>, { numRuns: 1000 });
}

/** {@link holds} for a property that waits. */
export function holdsAsync<Values extends readonly unknown[]>(property: fc.IAsyncProperty<Values>): Promise<void> {
  return fc.assert(property as fc.IAsyncProperty<unknown>, { numRuns: 1000 });
}

/** Payloads of a few bytes, now and then of thousands. */
export const payloads: fc.Arbitrary<Uint8Array> = fc.uint8Array({ size: '+1' });

/** Text in all planes of Unicode, as bytes. */
export const textPayloads: fc.Arbitrary<Uint8Array> = fc
  .string({ unit: 'binary', size: '+1' })
  .map((text) => Buffer.from(text, 'utf8'));
