import { common, flag, grouped, option, type OptionSpec, toggle } from '../../cli/options.js';
import { type FormatName, FORMAT_NAMES } from '../../output/formats/table.js';
import { parseRecordTarget } from '../../record/target.js';
import { parseDuration } from '../../text/duration.js';
import { ENCODINGS } from '../../text/encoding.js';
import { parseCount } from '../../text/number.js';
import { parseFileSize } from '../../text/size.js';
import { oneOf } from '../../text/value.js';

/** Options for writing, showing and recording datagrams. @param output the default of `--output` */
export function datagramOptions(output: FormatName) {
  return grouped('Datagrams:', {
    output: common(
      option(
        '-o, --output <format>',
        `how to write datagrams: ${FORMAT_NAMES.join(', ')}; raw loses their boundaries`,
        oneOf(FORMAT_NAMES),
        output,
      ),
    ),
    encoding: option(
      '-e, --encoding <enc>',
      `encoding of the payloads that you write: ${ENCODINGS.join(', ')}`,
      oneOf(ENCODINGS),
      'utf8',
    ),
    hex: common(hexFlag()),
    meta: common(
      toggle(
        '-m, --meta',
        '--no-meta',
        'write time, addresses and size before each datagram',
        'write nothing before a datagram',
      ),
    ),
    force: flag('--force', 'write raw bytes to a terminal'),
    record: common(
      option('--record <file>', 'record to FILE.pcap or FILE.jsonl; - is pcap on stdout', parseRecordTarget),
    ),
    recordReplace: flag('--record-replace', 'replace the file of --record (default: continue it)'),
    rotateSize: option(
      '--rotate-size <size>',
      'record in a row of files, FILE.<UTC start>.pcap, each at most this large: 64k, 100M, 2Gi',
      parseFileSize,
    ),
    rotateTime: option(
      '--rotate-time <d>',
      'record in a row of files, each for at most this time: 90s, 15m, 24h',
      parseDuration,
    ),
    keep: option('--keep <n>', 'keep only the newest n files of the row, n from 1', parseCount),
  });
}

function hexFlag(): OptionSpec<true | undefined> {
  return flag('-x, --hex', 'hex in both directions: -e hex -o hex').change((declared) => {
    declared.implies({ encoding: 'hex', output: 'hex' });
  });
}
