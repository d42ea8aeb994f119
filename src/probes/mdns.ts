import { optional } from './arguments.js';
import { ask, countAnswers, readServiceName } from './dns-message.js';
import { readRecordType } from './dns-types.js';
import { describeData } from './dns-value.js';
import { defineProbe, match, mismatch } from './probe.js';

/** The maximum number of records whose data are shown. All records are counted. */
const MAX_SHOWN = 8;
/** The largest message (RFC 6762 section 17). */
const MAX_REPLY_BYTES = 9000;

/**
 * A question to the hosts of the link, by default for their services. It is sent from a port other than 5353: therefore
 * each host replies to this port by unicast, and repeats the id and the question. Multicast replies do not have them
 * (RFC 6762 sections 5.1, 6.7 and 18; RFC 6763 section 9).
 */
export const mdns = defineProbe({
  summary: 'a question to the hosts of the link (224.0.0.251, ff02::fb), by default for their services',
  proves:
    'A host answered this question with at least one record. This does not prove that the service is ' +
    'there, or that all hosts answered.',
  source: 'RFC 6762 sections 5.1, 6.7 and 18, RFC 6763 section 9',
  port: 5353,
  repliesFrom: 'peer',
  arguments: {
    name: optional('the name to ask for', readServiceName, '_services._dns-sd._udp.local'),
    type: optional('the type of record: a name, TYPE65, or a number', readRecordType, 'PTR'),
  },
  start({ name, type }) {
    const question = `${name} ${type.name}`;
    const asked = { name, type, class: 'IN', recursion: false, maxReplyBytes: MAX_REPLY_BYTES } as const;
    return ask(asked, ({ rcode, fitting, truncated }) => {
      if (rcode !== 'NOERROR') return mismatch(`rcode ${rcode}`);
      if (fitting.length === 0) return mismatch(`${question}: no record of that type`);
      const shown = fitting.slice(0, MAX_SHOWN).map(describeData).join(', ');
      return match(`${question} ${shown}, ${countAnswers(fitting)}${truncated ? ', truncated' : ''}`);
    });
  },
});
