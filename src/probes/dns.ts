import {
  ArgumentError,
  optional,
  optionalWithoutDefault,
  readInteger,
  readOneOf,
  readText,
  required,
} from './arguments.js';
import { ask, countAnswers, readDomainName } from './dns-message.js';
import { readRecordType } from './dns-types.js';
import { describeData, hasValue } from './dns-value.js';
import { defineProbe, match, mismatch } from './probe.js';

const CLASSES = ['IN', 'CH', 'HS', 'ANY'] as const;
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'NOTAUTH'] as const;

/** Most records whose data are shown. All records are compared. */
const MAX_SHOWN = 8;

/**
 * The maximum number of bytes of a reply over UDP without EDNS (RFC 1035 section 4.2.1). The probe does not ask for
 * EDNS (RFC 6891).
 */
const MAX_REPLY_BYTES = 512;

/** A question to a resolver or an authoritative server (RFC 1035 section 4; response codes: RFC 6895). */
export const dns = defineProbe({
  summary: 'a question to a resolver or an authority',
  proves:
    'The server answered this question with the rcode asked for, with at least as many records, and with the value asked ' +
    'for. This does not prove that the records are true: nothing is validated.',
  source: 'RFC 1035 section 4, RFC 6895',
  port: 53,
  repliesFrom: 'peer',
  arguments: {
    name: required('the name to ask for', readDomainName, 'example.com'),
    type: optional('the type of record: a name, TYPE65, or a number', readRecordType, 'A'),
    class: optional('the class', readOneOf(CLASSES), 'IN'),
    rcode: optional('the response code that is a success', readOneOf(RCODES), 'NOERROR'),
    answers: optional('the fewest records that a NOERROR must bring', readInteger(0, 1000), '1'),
    recursion: optional('whether to ask for recursion', readOneOf(['yes', 'no']), 'yes'),
    answer: optionalWithoutDefault('the value that a record must have', readText, '192.0.2.10'),
  },
  check({ rcode, answer }) {
    if (answer === undefined || rcode === 'NOERROR') return;
    throw new ArgumentError(`its arguments "rcode" ${rcode} and "answer" contradict each other: leave one out`);
  },
  start({ name, type, class: klass, rcode, answers, recursion, answer }) {
    const question = `${name} ${type.name}`;
    const asked = { name, type, class: klass, recursion: recursion === 'yes', maxReplyBytes: MAX_REPLY_BYTES };
    return ask(asked, (reply) => {
      const { records, fitting, truncated } = reply;
      if (reply.rcode !== rcode) return mismatch(`rcode ${reply.rcode}`);
      if (rcode === 'NOERROR' && fitting.length < answers) {
        const why = truncated ? 'truncated' : `rcode ${rcode}`;
        return mismatch(`${question}: ${fitting.length} records of that type, fewer than ${answers}, ${why}`);
      }
      const found = fitting.find((record) => answer === undefined || hasValue(record, answer));
      if (answer !== undefined && found === undefined) {
        const values = fitting.slice(0, MAX_SHOWN).map(describeData).join(', ');
        const why = `${values === '' ? 'there is none' : values}${truncated ? ', truncated' : ''}`;
        return mismatch(`${question}: no record of that type is ${answer}: ${why}`);
      }
      const shown = found === undefined ? '' : ` ${describeData(found)}`;
      return match(`${question}${shown}, ${countAnswers(records)}, rcode ${rcode}${truncated ? ', truncated' : ''}`);
    });
  },
});
