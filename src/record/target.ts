import { ValueError } from '../net/errors.js';
import { completing } from '../text/value.js';

/** Where a recording goes, and how it is written. `stdout` is pcap. */
export type RecordTarget =
  { readonly kind: 'stdout' } | { readonly kind: 'file'; readonly path: string; readonly format: 'pcap' | 'jsonl' };

/** Reads where a recording goes, by the end of its name. */
export const parseRecordTarget = completing('file', (text): RecordTarget => {
  if (text === '-') return { kind: 'stdout' };
  const [, format] = /[^/]\.(pcap|jsonl)$/.exec(text) ?? [];
  if (format !== 'pcap' && format !== 'jsonl') {
    throw new ValueError('A recording is a file that ends in .pcap or .jsonl, or - for pcap on stdout.');
  }
  return { kind: 'file', path: text, format };
});
