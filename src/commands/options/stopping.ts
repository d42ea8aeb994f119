import { grouped, option } from '../../cli/options.js';
import { parseDuration } from '../../text/duration.js';
import { parseCount } from '../../text/number.js';

/** When a run ends by itself. @param count the help of `--count` */
export function stoppingOptions(count: string) {
  return grouped('When to stop:', {
    count: option('-c, --count <n>', count, parseCount),
    duration: option('--duration <d>', 'stop after that long: 250ms, 2s, 3m, 1h', parseDuration),
    idle: option('--idle <d>', 'stop when nothing has arrived for that long', parseDuration),
  });
}
