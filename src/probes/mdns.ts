import { optional, readOneOf } from './arguments.js';
import { ask, countAnswers, describeData, readServiceName, RECORD_TYPES } from './dns-message.js';
import { defineProbe, match, mismatch } from './probe.js';

/** The most records that are shown; all are counted. */
const MAX_SHOWN = 8;
/** The largest message (RFC 6762 section 17). */
const MAX_REPLY_BYTES = 9000;

/**
 * One question to the hosts of the link. It leaves from a port other than 5353, so that each answers to it alone, and
 * repeats its id and question as no multicast reply does (RFC 6762 sections 5.1, 6.7 and 18; RFC 6763 section 9).
 */
export const mdns = defineProbe({
  summary: 'a question to the hosts of the link (224.0.0.251, ff02::fb), by default for their services',
  proves:
    'A host answered this question with a record at least. Not that the service is there, nor that all hosts answered.',
  source: 'RFC 6762 sections 5.1, 6.7 and 18, RFC 6763 section 9',
  port: 5353,
  repliesFrom: 'peer',
  arguments: {
    name: optional('the name to ask for', readServiceName, '_services._dns-sd._udp.local'),
    type: optional('the type of record', readOneOf(RECORD_TYPES), 'PTR'),
  },
  start({ name, type }) {
    const question = `${name} ${type}`;
    const asked = { name, type, class: 'IN', recursion: false, maxReplyBytes: MAX_REPLY_BYTES } as const;
    return ask(asked, ({ rcode, fitting, truncated }) => {
      if (rcode !== 'NOERROR') return mismatch(`rcode ${rcode}`);
      if (fitting.length === 0) return mismatch(`${question}: no record of that type`);
      const shown = fitting.slice(0, MAX_SHOWN).map(describeData).join(', ');
      return match(`${question} ${shown}, ${countAnswers(fitting)}${truncated ? ', truncated' : ''}`);
    });
  },
});
