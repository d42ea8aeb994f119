import { flag, grouped, option, type OptionSpec, toggle } from '../../cli/options.js';
import { type FormatName, FORMAT_NAMES } from '../../output/formats/table.js';
import { parseRecordTarget } from '../../record/target.js';
import { parseDuration } from '../../text/duration.js';
import { ENCODINGS } from '../../text/encoding.js';
import { parseCount } from '../../text/number.js';
import { parseFileSize } from '../../text/size.js';
import { oneOf } from '../../text/value.js';

/** How datagrams are written, shown and recorded. @param output the default of `--output` */
export function datagramOptions(output: FormatName) {
  return grouped('Datagrams:', {
    output: option(
      '-o, --output <format>',
      `how datagrams are written to stdout: ${FORMAT_NAMES.join(', ')} (raw loses their boundaries)`,
      oneOf(FORMAT_NAMES),
      output,
    ),
    encoding: option(
      '-e, --encoding <enc>',
      `how payloads are written by you: ${ENCODINGS.join(', ')}`,
      oneOf(ENCODINGS),
      'utf8',
    ),
    hex: hexFlag(),
    meta: toggle(
      '-m, --meta',
      '--no-meta',
      'put time, addresses and size before each datagram in the text formats',
      'put nothing before them',
    ),
    force: flag('--force', 'write raw bytes to a terminal'),
    record: option(
      '--record <file>',
      'add every datagram received or sent to FILE.pcap or FILE.jsonl; - is pcap on stdout',
      parseRecordTarget,
    ),
    recordReplace: flag('--record-replace', 'replace what the file of --record holds, instead of continuing it'),
    rotateSize: option(
      '--rotate-size <size>',
      'record to a row of files, FILE.<UTC start>.pcap, each of at most that size, such as 64k, 100M or 2Gi',
      parseFileSize,
    ),
    rotateTime: option(
      '--rotate-time <d>',
      'record to a row of files, a new one after that long, such as 90s, 15m or 24h',
      parseDuration,
    ),
    keep: option('--keep <n>', 'remove all but the newest n files of the row, n from 1', parseCount),
  });
}

function hexFlag(): OptionSpec<true | undefined> {
  const spec = flag('-x, --hex', 'hex both ways: -e hex -o hex');
  for (const declared of spec.options) declared.implies({ encoding: 'hex', output: 'hex' });
  return spec;
}
