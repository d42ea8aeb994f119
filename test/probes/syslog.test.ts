import { hostname } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { closedAddress, silentServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';

describeWith('rsyslogd', 'rsyslog', () => {
  test('reads from the message what was put into it', async () => {
    // rsyslog passes messages on to a socket. A file would have to be polled.
    await using collector = await silentServer();
    await using server = await startDaemon({
      program: 'rsyslogd',
      files: ({ port, folder }) => ({
        'rsyslog.conf': `
          global(workDirectory="${folder}")
          module(load="imudp")
          input(type="imudp" address="127.0.0.1" port="${port}")
          template(name="fields" type="string"
            string="%protocol-version%|%syslogfacility-text%|%syslogseverity-text%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%|%msg%")
          action(type="omfwd" target="127.0.0.1" port="${collector.port}" protocol="udp" template="fields")
        `,
      }),
      args: ({ folder }) => ['-n', '-f', `${folder}/rsyslog.conf`, '-i', `${folder}/pid`],
    });
    const probe = 'syslog:Grüße\\, alle,local3,err,my-app';
    expect(await udpcat(['send', server.address, '--probe', probe])).toMatchObject({ status: 0, stderr: '' });
    const [received] = await collector.collect(1);
    expect(received?.data.toString()).toBe(`1|local3|err|${hostname()}|my-app|-|-|-|\u{feff}Grüße, alle`);
  });
});

describe.each([4, 6] as const)('--probe syslog over IPv%d', (family) => {
  test('sends one message, with all of a header', async () => {
    await using server = await silentServer(family);
    const beforeMs = Date.now();
    expect(await udpcat(['send', server.address, '--probe', 'syslog'])).toMatchObject({ status: 0, stderr: '' });
    const [received] = await server.collect(1);
    const [, priority, time, rest] = /^<(\d+)>1 (\S+) ([^]*)$/.exec(received?.data.toString() ?? '') ?? [];
    expect(priority).toBe('14');
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Date.parse(time!)).toBeGreaterThanOrEqual(beforeMs);
    expect(Date.parse(time!)).toBeLessThanOrEqual(Date.now());
    expect(rest).toBe(`${hostname()} udpcat - - - \u{feff}udpcat probe`);
    expect(server.received).toHaveLength(1);
  });

  test('is 4 where nobody listens', async () => {
    const address = await closedAddress(family);
    expect(await udpcat(['send', address, '--probe', 'syslog'])).toMatchObject({
      status: 4,
      stderr: `udpcat: ${address} refused: nobody listens there, or a firewall prohibits it\n`,
    });
  });
});

describe('--probe syslog', () => {
  test.each([
    ['syslog:x,kern,emerg', '<0>'],
    ['syslog:x,severity=debug,facility=LOCAL7', '<191>'],
  ])('%s begins with %s', async (probe, start) => {
    await using server = await silentServer();
    await udpcat(['send', server.address, '--probe', probe]);
    const [received] = await server.collect(1);
    expect(received?.data.toString().startsWith(`${start}1 `)).toBe(true);
  });

  test.each([['-w', '1s'], ['-n', '1'], ['--retry', '1'], ['--expect', 'x'], ['--any-source']])(
    'is a usage error with %s, since nothing answers',
    async (...options) => {
      await using server = await silentServer();
      const { status, stderr } = await udpcat(['send', server.address, '--probe', 'syslog', ...options]);
      expect(stderr).toBe(
        'udpcat: nothing answers the probe syslog, and other options ask for replies: leave them out\n',
      );
      expect(status).toBe(2);
      expect(server.received).toEqual([]);
    },
  );

  test.each(['x,nobody', 'x,user,loud', 'x,user,info,two words', 'x,user,info,a,b', `app=${'a'.repeat(49)}`])(
    'is a usage error with the arguments %j',
    async (args) => {
      const { status, stderr } = await udpcat(['send', '127.0.0.1:9', '--probe', `syslog:${args}`]);
      expect(stderr).toMatch(/^udpcat: option '--probe': probe syslog: it[^\n]+; --probe help:syslog tells more\n$/);
      expect(status).toBe(2);
    },
  );
});
