import { describe, expect, test } from '@jest/globals';
import { ssdp as probe } from '../../src/probes/ssdp.js';
import { shellOnTwoHosts, testInNamespaces } from '../support/namespaces.js';
import { describeWith } from '../support/peers.js';
import { commandLine, udpcat, untimed } from '../support/udpcat.js';
import { ssdp } from './fixtures/ssdp.js';
import { startProbe } from './session.js';

const UUIDS = { near: 'uuid:00000000-0000-0000-0000-00000000000a', far: 'uuid:00000000-0000-0000-0000-00000000000b' };

const MINIDLNA = `mkdir /run/media /run/database
case $HOST in near) uuid=${UUIDS.near};; far) uuid=${UUIDS.far};; esac
printf '%s\\n' network_interface=lan0 port=8200 media_dir=/run/media db_dir=/run/database log_dir=/run \\
  "uuid=\${uuid#uuid:}" >/run/minidlna.conf
exec minidlnad -d -f /run/minidlna.conf -P /run/minidlna.pid`;

/** Runs `send` on one of the two hosts, when both reply. */
async function discover(...args: readonly string[]) {
  const send = ['send', '239.255.255.250:1900', '--interface', 'lan0', '-o', 'none'];
  const ready = Object.values(UUIDS).map((uuid) =>
    commandLine([...send, '--probe', `ssdp:${uuid}`, '--retry', '600', '-w', '2m', '--quiet']),
  );
  await using running = shellOnTwoHosts(MINIDLNA, `${ready.join(' && ')} && ${commandLine([...send, ...args])}`);
  const { status, stderr } = await running.outcome;
  return { status, lines: untimed(stderr).trimEnd().split('\n').sort() };
}

describeWith('minidlnad', 'two hosts with MiniDLNA', () => {
  testInNamespaces.concurrent('are discovered, each with its address and where its description is', async () => {
    const { status, lines } = await discover('--probe', 'ssdp:upnp:rootdevice', '-n', 'all', '-w', '3s');
    expect(lines).toEqual(
      ['10.9.8.1', '10.9.8.2'].map((host) =>
        expect.stringMatching(
          new RegExp(
            `^udpcat: ssdp: upnp:rootdevice at http://${host}:8200/rootDesc\\.xml, .*MiniDLNA/\\S+ \\(${host}:1900\\)$`,
          ),
        ),
      ),
    );
    expect(status).toBe(0);
  });

  testInNamespaces.concurrent('tell of everything they have', async () => {
    const { status, lines } = await discover('--probe', 'ssdp', '-n', 'all', '-w', '3s');
    const targets = lines.map((line) => /^udpcat: ssdp: (\S+) at http:/.exec(line)?.[1]);
    expect(targets).toEqual(
      expect.arrayContaining([UUIDS.near, UUIDS.far, 'urn:schemas-upnp-org:device:MediaServer:1']),
    );
    expect(status).toBe(0);
  });

  testInNamespaces.concurrent('are silent about what neither is', async () => {
    expect(await discover('--probe', 'ssdp:urn:schemas-upnp-org:device:Printer:1', '-w', '1s')).toEqual({
      status: 3,
      lines: ['udpcat: 239.255.255.250:1900 did not answer within 1s'],
    });
  });
});

describe('the probe ssdp', () => {
  test.each([
    ['239.255.255.250', '239.255.255.250:1900'],
    ['ff02::c%lan0', '[ff02::c]:1900'],
  ])('searches at %s for the host %s', async (address, host) => {
    const local = { address: '0.0.0.0', port: 40_000 };
    const { request } = await probe.start({ st: 'ssdp:all', mx: 3 }, { local, remote: { address, port: 1900 } });
    expect(Buffer.from(request).toString()).toBe(
      `M-SEARCH * HTTP/1.1\r\nHOST: ${host}\r\nMAN: "ssdp:discover"\r\nMX: 3\r\nST: ssdp:all\r\n\r\n`,
    );
  });

  test.each([
    ['another status', /200 OK/, '412 Precondition Failed', 'status 412'],
    ['another version of HTTP', /HTTP\/1\.1/, 'HTTP/2.0', 'it is no response of HTTP/1.1'],
    ['another target', /ST: \S+/, 'ST: UPNP:rootdevice', 'the reply is to another search: its ST is UPNP:rootdevice'],
    ['no target', /ST: \S+/, 'X: y', 'it has no ST or no USN'],
    ['no name', /USN: \S+/, 'USN: ', 'it has no ST or no USN'],
    ['no address of the description', /LOCATION: \S+/, 'X: y', 'upnp:rootdevice: its LOCATION is no URL'],
    ['a line that is no field', /EXT:/, 'EXT', 'a line of its header is no field'],
    ['no end', /\r\n\r\n/, '\r\n', 'its header has no end'],
  ])('does not take a reply with %s', async (_title, from, to, says) => {
    const { request, judge } = await startProbe(ssdp.probe);
    const reply = ssdp.reply(request).toString().replace(from, to);
    const finding = judge(Buffer.from(reply));
    expect(finding.outcome).toBe('mismatch');
    expect(finding.says?.endsWith(`: ${says}`)).toBe(true);
  });

  test('takes fields of any case, and a reply that does not name the server', async () => {
    const { request, judge } = await startProbe('ssdp');
    const reply = ssdp
      .reply(request)
      .toString()
      .replace(/SERVER: .*\r\n/, '')
      .replace('LOCATION: ', 'Location:');
    expect(judge(Buffer.from(reply))).toEqual({
      outcome: 'match',
      says: 'ssdp: upnp:rootdevice at http://10.9.8.1:8200/rootDesc.xml',
    });
  });

  test.each(['upnp:rootdevice,0', 'upnp:rootdevice,6', 'st=upnp: rootdevice', 'st=a\r\nX: y'])(
    'does not search for %j',
    async (args) => {
      expect(await udpcat(['send', '127.0.0.1:9', '--probe', `ssdp:${args}`])).toMatchObject({ status: 2 });
    },
  );
});
