import { optional, readInteger, readOneOf, required } from './arguments.js';
import { ask, countAnswers, describeData, readDomainName, RECORD_TYPES } from './dns-message.js';
import { defineProbe, match, mismatch } from './probe.js';

const CLASSES = ['IN', 'CH', 'HS', 'ANY'] as const;
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'NOTAUTH'] as const;

/**
 * The maximum number of bytes of a reply over UDP without EDNS (RFC 1035 section 4.2.1). The probe does not ask for
 * EDNS (RFC 6891).
 */
const MAX_REPLY_BYTES = 512;

/** A question to a resolver or an authoritative server (RFC 1035 section 4; response codes: RFC 6895). */
export const dns = defineProbe({
  summary: 'a question to a resolver or an authority',
  proves:
    'The server answered this question with the rcode asked for, and with at least as many records. This does not ' +
    'prove that the records are true: nothing is validated.',
  source: 'RFC 1035 section 4, RFC 6895',
  port: 53,
  repliesFrom: 'peer',
  arguments: {
    name: required('the name to ask for', readDomainName, 'example.com'),
    type: optional('the type of record', readOneOf(RECORD_TYPES), 'A'),
    class: optional('the class', readOneOf(CLASSES), 'IN'),
    rcode: optional('the response code that is a success', readOneOf(RCODES), 'NOERROR'),
    answers: optional('the fewest records that a NOERROR must bring', readInteger(0, 1000), '1'),
    recursion: optional('whether to ask for recursion', readOneOf(['yes', 'no']), 'yes'),
  },
  start({ name, type, class: klass, rcode, answers, recursion }) {
    const question = `${name} ${type}`;
    const asked = { name, type, class: klass, recursion: recursion === 'yes', maxReplyBytes: MAX_REPLY_BYTES };
    return ask(asked, (reply) => {
      const { records, fitting, truncated } = reply;
      if (reply.rcode !== rcode) return mismatch(`rcode ${reply.rcode}`);
      if (rcode === 'NOERROR' && fitting.length < answers) {
        const why = truncated ? 'truncated' : `rcode ${rcode}`;
        return mismatch(`${question}: ${fitting.length} records of that type, fewer than ${answers}, ${why}`);
      }
      const [first] = fitting;
      const shown = first === undefined ? '' : ` ${describeData(first)}`;
      return match(`${question}${shown}, ${countAnswers(records)}, rcode ${rcode}${truncated ? ', truncated' : ''}`);
    });
  },
});
