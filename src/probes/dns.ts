import { randomInt } from 'node:crypto';
import { optional, readInteger, readOneOf, required } from './arguments.js';
import { decodeMessage, describeData, readDomainName, RECORD_TYPES, repeatsQuestion } from './dns-message.js';
import { defineProbe, match, MalformedReply, mismatch } from './probe.js';

const CLASSES = ['IN', 'CH', 'HS', 'ANY'] as const;
const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'NOTAUTH'] as const;

/** A question to a resolver or an authority (RFC 1035 section 4; codes: RFC 6895). */
export const dns = defineProbe({
  summary: 'a question to a resolver or an authority',
  proves:
    'The server answered this question with the rcode asked for, and with at least so many records. Not that what it ' +
    'says is true: nothing is validated.',
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
  async start({ name, type, class: klass, rcode, answers, recursion }) {
    const library = await import('dns-packet');
    const id = randomInt(0x1_0000);
    const request = library.encode({
      type: 'query',
      id,
      flags: recursion === 'yes' ? library.RECURSION_DESIRED : 0,
      questions: [{ name, type, class: klass }],
    });
    const question = `${name} ${type}`;
    return {
      request,
      judge: (data) => {
        const reply = decodeMessage(library, data);
        if (reply.type !== 'response') throw new MalformedReply('it is a query');
        if (reply.id !== id) return mismatch('the reply is to another query: its id differs');
        const got = (reply as { readonly rcode?: string }).rcode ?? '';
        // A server that cannot read a query need not repeat the question (RFC 1035 section 4.1.1, FORMERR).
        const repeats = repeatsQuestion(request, data);
        if (!repeats && (got === 'NOERROR' || reply.questions?.length !== 0)) {
          return mismatch('the reply is to another query: its question differs');
        }
        if (got !== rcode) return mismatch(`rcode ${got}`);
        const records = reply.answers ?? [];
        const fitting = records.filter((record) => record.type === type);
        // What did not fit the datagram was left out, and is there all the same.
        const truncated = (reply as { readonly flag_tc?: boolean }).flag_tc === true;
        if (got === 'NOERROR' && fitting.length < answers && !truncated) {
          return mismatch(`${question}: ${fitting.length} records of that type, fewer than ${answers}, rcode ${got}`);
        }
        const [first] = fitting;
        const shown = first === undefined ? '' : ` ${describeData(first)}`;
        const count = `${records.length} ${records.length === 1 ? 'answer' : 'answers'}`;
        return match(`${question}${shown}, ${count}, rcode ${got}${truncated ? ', truncated' : ''}`);
      },
    };
  },
});
