import { common, conflicting, flag, grouped, option, toggle } from '../../cli/options.js';
import { LOG_FORMATS, LOG_LEVELS } from '../../output/log.js';
import { oneOf } from '../../text/value.js';

/** Options for the messages on stderr. */
export function stderrOptions() {
  return grouped('On stderr:', {
    stats: toggle(
      '--stats',
      '--no-stats',
      'print a summary at the end (default: at a terminal); serve and echo: a live line, too',
      'print no summary',
    ),
    logLevel: option(
      '--log-level <level>',
      `print messages of this level and above: ${LOG_LEVELS.join(', ')} (default: info)`,
      oneOf(LOG_LEVELS),
    ),
    logFormat: option(
      '--log-format <format>',
      `how to print messages: ${LOG_FORMATS.join(', ')}`,
      oneOf(LOG_FORMATS),
      'pretty',
    ),
    verbose: common(conflicting(flag('-v, --verbose', 'print details: --log-level debug'), 'quiet', 'logLevel')),
    quiet: common(conflicting(flag('--quiet', 'print only errors and the listening line'), 'logLevel')),
    color: toggle('--color', '--no-color', 'use colour, even without a terminal', 'use no colour'),
  });
}
