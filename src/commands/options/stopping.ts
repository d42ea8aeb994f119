import { common, grouped, option } from '../../cli/options.js';
import { parseDuration } from '../../text/duration.js';
import { parseCount } from '../../text/number.js';

/** Options that end a run. @param count the help of `--count` */
export function stoppingOptions(count: string) {
  return grouped('When to stop:', {
    count: common(option('-c, --count <n>', count, parseCount)),
    duration: common(option('--duration <d>', 'stop after this time: 250ms, 2s, 3m, 1h', parseDuration)),
    idle: option('--idle <d>', 'stop when nothing arrives for this time', parseDuration),
  });
}
