import { conflicting, flag, grouped, option, toggle } from '../../cli/options.js';
import { LOG_FORMATS, LOG_LEVELS } from '../../output/log.js';
import { oneOf } from '../../text/value.js';

/** What is said on stderr. */
export function stderrOptions() {
  return grouped('On stderr:', {
    stats: toggle(
      '--stats',
      '--no-stats',
      'summary on stderr at the end (default: at a terminal); serve, echo: a live line too',
      'no summary',
    ),
    logLevel: option('--log-level <level>', `what is said on stderr: ${LOG_LEVELS.join(', ')}`, oneOf(LOG_LEVELS)),
    logFormat: option('--log-format <format>', `and how: ${LOG_FORMATS.join(', ')}`, oneOf(LOG_FORMATS), 'pretty'),
    verbose: conflicting(flag('-v, --verbose', 'the same as --log-level debug'), 'quiet', 'logLevel'),
    quiet: conflicting(flag('--quiet', 'only errors and the listening line'), 'logLevel'),
    color: toggle('--color', '--no-color', 'colour, even where there is no terminal', 'no colour'),
  });
}
