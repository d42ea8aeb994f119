/** Checks properties with a thousand random inputs each. */
import fc from 'fast-check';

/**
 * Asserts that a property holds for a thousand random inputs. A failure names the smallest wrong input and its seed.
 */
export function holds<Values extends readonly unknown[]>(property: fc.IProperty<Values>): void {
  fc.assert(property as fc.IProperty<unknown>, { numRuns: 1000 });
}

/** Like {@link holds}, for an asynchronous property. */
export function holdsAsync<Values extends readonly unknown[]>(property: fc.IAsyncProperty<Values>): Promise<void> {
  return fc.assert(property as fc.IAsyncProperty<unknown>, { numRuns: 1000 });
}

/** Random payloads, mostly of a few bytes, sometimes of thousands. */
export const payloads: fc.Arbitrary<Uint8Array> = fc.uint8Array({ size: '+1' });

/** Random text with characters of all planes of Unicode, as UTF-8. */
export const textPayloads: fc.Arbitrary<Uint8Array> = fc
  .string({ unit: 'binary', size: '+1' })
  .map((text) => Buffer.from(text, 'utf8'));
