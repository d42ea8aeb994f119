import { hostname } from 'node:os';
import { optional, readOneOf, readPrintable, readText } from './arguments.js';
import { defineProbe } from './probe.js';

/** Facilities in the order of their numbers (RFC 5424 section 6.2.1). */
const FACILITIES = [
  ...['kern', 'user', 'mail', 'daemon', 'auth', 'syslog', 'lpr', 'news', 'uucp', 'cron', 'authpriv', 'ftp'],
  ...['ntp', 'audit', 'alert', 'clock'],
  ...['local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
];
const SEVERITIES = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug'];

/** Sends one log message (RFC 5424 section 6) over UDP (RFC 5426). Collectors do not reply. */
export const syslog = defineProbe({
  summary: 'one log message; nothing answers',
  proves: 'The message left, and nothing refused it at once. Whether anybody stores it cannot be seen from here.',
  source: 'RFC 5424 section 6, RFC 5426 section 3',
  port: 514,
  repliesFrom: 'none',
  arguments: {
    message: optional('the text', readText, 'udpcat probe'),
    facility: optional('the facility', readOneOf(FACILITIES), 'user'),
    severity: optional('the severity', readOneOf(SEVERITIES), 'info'),
    app: optional('the name of the application', readPrintable(48), 'udpcat'),
  },
  start({ message, facility, severity, app }) {
    const priority = FACILITIES.indexOf(facility) * 8 + SEVERITIES.indexOf(severity);
    const host =
      hostname()
        .replace(/[^!-~]/g, '')
        .slice(0, 255) || '-';
    const header = `<${priority}>1 ${new Date().toISOString()} ${host} ${app} - - -`;
    // A byte-order mark tells the collector that the text is UTF-8 (section 6.4).
    return { request: Buffer.from(`${header} \u{feff}${message}`, 'utf8') };
  },
});
