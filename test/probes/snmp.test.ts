import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex, patched } from './fixtures/fixture.js';
import { snmp } from './fixtures/snmp.js';
import { startProbe } from './session.js';

async function probe(address: string, text: string, wait = '1m') {
  const { status, stderr } = await udpcat(['send', address, '--probe', text, '-o', 'none', '-w', wait]);
  return { status, stderr: untimed(stderr) };
}

describeWith('snmpd', 'snmpd of Net-SNMP', () => {
  let server: Daemon;

  beforeAll(async () => {
    server = await startDaemon({
      program: 'snmpd',
      files: ({ port }) => ({
        'agent.conf': [
          `agentaddress udp:127.0.0.1:${port}`,
          'rocommunity public 127.0.0.1',
          'rocommunity other 127.0.0.1',
          'sysDescr an agent',
          'sysServices 72',
          '',
        ].join('\n'),
      }),
      args: ({ folder }) => ['-f', '-Lo', '-C', '-c', `${folder}/agent.conf`, '-I', '-smux'],
      env: { SNMP_PERSISTENT_DIR: 'state', MIBS: '' },
    });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test.each(['snmp', 'snmp:version=1'])('answers %s with how long it is up', async (text) => {
    expect(await probe(server.address, text)).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^udpcat: snmp: 1\.3\.6\.1\.2\.1\.1\.3\.0 = \d+ \(TimeTicks\)\n$/),
    });
  });

  test.each([
    ['1.3.6.1.2.1.1.1.0', '1.3.6.1.2.1.1.1.0 = "an agent" (OCTET STRING)'],
    ['.1.3.6.1.2.1.1.7.0,other', '1.3.6.1.2.1.1.7.0 = 72 (INTEGER)'],
    ['oid=1.3.6.1.2.1.1.2.0', '1.3.6.1.2.1.1.2.0 = 1.3.6.1.4.1.8072.3.2.10 (OBJECT IDENTIFIER)'],
    ['1.3.6.1.2.1.4.20.1.3.127.0.0.1', '1.3.6.1.2.1.4.20.1.3.127.0.0.1 = 255.0.0.0 (IpAddress)'],
  ])('answers %s', async (args, says) => {
    expect(await probe(server.address, `snmp:${args}`)).toEqual({ status: 0, stderr: `udpcat: snmp: ${says}\n` });
  });

  test.each([
    ['an object that it does not have', '1.3.6.1.2.9.0', 'noSuchObject: 1.3.6.1.2.9.0'],
    ['an instance that it does not have', '1.3.6.1.2.1.1.3.1', 'noSuchInstance: 1.3.6.1.2.1.1.3.1'],
    ['an object that it does not have, in v1', '1.3.6.1.2.9.0,version=1', 'error-status noSuchName'],
  ])('says that it knows nothing of %s', async (_, args, says) => {
    expect(await probe(server.address, `snmp:${args}`, '3s')).toEqual({
      status: 5,
      stderr: `udpcat: snmp: ${says} (${server.address})\n`,
    });
  });

  test('understands the longest object identifier, around which every length has its long form', async () => {
    const oid = `1.3.6.1.4.1${'.4294967295'.repeat(122)}`;
    const { status, stderr } = await probe(server.address, `snmp:${oid}`, '3s');
    expect({ status, stderr }).toEqual({
      status: 5,
      stderr: `udpcat: snmp: noSuchObject: ${oid.slice(0, 280)}... (${server.address})\n`,
    });
  });

  test('does not reply to a request with another community', async () => {
    expect(await probe(server.address, 'snmp:community=wrong', '1s')).toEqual({
      status: 3,
      stderr: `udpcat: ${server.address} did not answer within 1s\n`,
    });
  });
});

describe('the probe snmp', () => {
  /** A reply of snmpd to the request. Offsets: error-status at 23, object at 30 to 40; the value is at the end. */
  const started = async (text = 'snmp') => {
    const { request, judge } = await startProbe(text);
    return { request, judge, reply: snmp.reply(request) };
  };
  /** Returns the reply with another value, and with the right lengths around it. */
  const withValue = (reply: Buffer, value: Buffer): Buffer => {
    const whole = Buffer.concat([reply.subarray(0, 41), value]);
    for (const at of [1, 14, 28, 30]) whole.writeUInt8(whole.length - at - 1, at);
    return whole;
  };

  test.each([
    ['02 01 ff', '-1 (INTEGER)'],
    ['04 00', '"" (OCTET STRING)'],
    ['04 03 610a62', '"a\nb" (OCTET STRING)'],
    ['04 03 61c3a9', '"aé" (OCTET STRING)'],
    ['04 06 001b21000001', '0x001b21000001 (OCTET STRING)'],
    ['04 02 c328', '0xc328 (OCTET STRING)'],
    ['06 03 2b0601', '1.3.6.1 (OBJECT IDENTIFIER)'],
    ['40 04 c0000201', '192.0.2.1 (IpAddress)'],
    ['41 05 00ffffffff', '4294967295 (Counter32)'],
    ['42 01 00', '0 (Gauge32)'],
    ['44 02 9f78', '0x9f78 (Opaque)'],
    ['46 09 00ffffffffffffffff', '18446744073709551615 (Counter64)'],
  ])('shows the value %s', async (value, shown) => {
    const { judge, reply } = await started();
    expect(judge(withValue(reply, hex(value)))).toEqual({
      outcome: 'match',
      says: `snmp: 1.3.6.1.2.1.1.3.0 = ${shown}`,
    });
  });

  test('shows no more than 80 characters of a value', async () => {
    const { judge, reply } = await started();
    const text = Buffer.concat([hex('04 55'), Buffer.alloc(85, 'x')]);
    expect(judge(withValue(reply, text)).says).toBe(`snmp: 1.3.6.1.2.1.1.3.0 = "${'x'.repeat(80)}" (OCTET STRING)`);
    const bytes = Buffer.concat([hex('04 55'), Buffer.alloc(85)]);
    expect(judge(withValue(reply, bytes)).says).toBe(`snmp: 1.3.6.1.2.1.1.3.0 = 0x${'0'.repeat(78)} (OCTET STRING)`);
  });

  test.each([
    ['80 00', 'noSuchObject'],
    ['81 00', 'noSuchInstance'],
    ['82 00', 'endOfMibView'],
  ])('does not take the exception %s', async (value, name) => {
    const { judge, reply } = await started();
    expect(judge(withValue(reply, hex(value)))).toEqual({
      outcome: 'mismatch',
      says: `snmp: ${name}: 1.3.6.1.2.1.1.3.0`,
    });
  });

  test.each([
    ['of no value', '05 00'],
    ['of an unknown type', '47 01 01'],
    ['of a negative counter', '41 04 ffffffff'],
    ['of a counter of 65 bits', '46 09 01ffffffffffffffff'],
    ['of an IpAddress of 16 bytes', `40 10 ${'00'.repeat(16)}`],
    ['of two values', '43 01 05 43 01 05'],
    ['without a value', ''],
  ])('does not take a reply %s', async (_, value) => {
    const { judge, reply } = await started();
    expect(judge(withValue(reply, hex(value))).says).toMatch(/^snmp: the reply is no message of the protocol: /);
  });

  test.each([
    [1, 'tooBig'],
    [5, 'genErr'],
    [16, 'authorizationError'],
    [18, 'inconsistentName'],
    [19, '19'],
  ])('says that the error-status is %d', async (status, name) => {
    const { judge, reply } = await started();
    expect(judge(patched(reply, [23, Uint8Array.of(status)]))).toEqual({
      outcome: 'mismatch',
      says: `snmp: error-status ${name}`,
    });
  });

  test.each([
    ['another version', 4, 'snmp: the reply is of another version'],
    ['another community', 7, 'snmp: the reply is for another community'],
    ['another request-id', 20, 'snmp: the reply is to another request: its request-id differs'],
    ['another object', 40, 'snmp: the reply is about another object'],
  ])('does not take %s', async (_, at, says) => {
    const { judge, reply } = await started();
    expect(judge(patched(reply, [at, Uint8Array.of(reply.readUInt8(at) ^ 1)]))).toEqual({ outcome: 'mismatch', says });
  });

  test('does not take a reply of v1 to a request of v2c', async () => {
    const { judge, reply } = await started('snmp:version=1');
    expect(judge(reply).outcome).toBe('mismatch');
    expect(judge(patched(reply, [4, Uint8Array.of(0)])).outcome).toBe('match');
  });

  test.each(['1', '3.1', '1.40', '1..3', '1.3.', 'sysUpTime.0', '1.3.6.4294967296', `1.3${'.1'.repeat(127)}`])(
    'does not ask for %s',
    async (oid) => {
      await expect(startProbe(`snmp:oid=${oid}`)).rejects.toThrow(/it must be 2 to 128 numbers with dots between them/);
    },
  );
});
