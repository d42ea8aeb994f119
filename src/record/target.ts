import { ValueError } from '../net/errors.js';
import { completing } from '../text/value.js';
import { RECORD_FORMAT_NAMES, type RecordFormatName } from './formats/table.js';

/** Where a recording is written to, and its format. On stdout the format is pcap. */
export type RecordTarget =
  { readonly kind: 'stdout' } | { readonly kind: 'file'; readonly path: string; readonly format: RecordFormatName };

/**
 * Reads the target of a recording: `-` for stdout, or a file whose ending is `.pcap` or `.jsonl`.
 *
 * @throws {ValueError}
 */
export const parseRecordTarget = completing('file', (text): RecordTarget => {
  if (text === '-') return { kind: 'stdout' };
  const format = RECORD_FORMAT_NAMES.find((name) => text.endsWith(`.${name}`) && /[^/]\.[a-z]+$/.test(text));
  if (format === undefined) {
    const endings = RECORD_FORMAT_NAMES.map((name) => `.${name}`).join(' or ');
    throw new ValueError(`A recording is a file that ends in ${endings}, or - for pcap on stdout.`);
  }
  return { kind: 'file', path: text, format };
});
