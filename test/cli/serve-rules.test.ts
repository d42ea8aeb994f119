import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { jsonLines, sendAll } from '../support/service.js';
import { hostAndPort, silentServer, written } from '../support/sockets.js';
import { type RunningHere, start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { start as startProcess } from '../support/udpcat.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-rules-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let names = 0;
/** Writes a file of rules as JSON, which is YAML, too. */
function rulesFile(rules: string | object, name = `rules-${(names += 1)}.yaml`): string {
  const path = join(folder, name);
  writeFileSync(path, typeof rules === 'string' ? rules : JSON.stringify(rules));
  return path;
}

/** Starts a server with rules. Returns its address, too. */
async function serving(rules: string | object, ...more: string[]) {
  const file = rulesFile(rules);
  const running = start(['serve', '*:0', '--rules', file, '-o', 'none', '--stats', '--log-format', 'json', ...more]);
  const [, address = ''] = await running.until(/"address":"([^"]+)"/, 'stderr');
  const { port } = hostAndPort(address);
  return { file, running, address: `127.0.0.1:${port}`, address6: written('::1', port) };
}

/** The responses that a new peer gets to these requests, in order. The last request must have exactly one response. */
async function ask(address: string, payloads: readonly (string | Uint8Array)[], answers: number): Promise<string[]> {
  await using peer = await silentServer(address.startsWith('[') ? 6 : 4);
  await sendAll(peer, address, payloads);
  return (await peer.collect(answers)).map(({ data }) => data.toString('latin1'));
}

async function summaryOf(running: RunningHere): Promise<Record<string, unknown>> {
  running.kill();
  const { status, stderr } = await running.outcome;
  expect(status).toBe(0);
  return jsonLines(stderr).at(-1) ?? {};
}

const FENCE = { when: { exact: 'fence' }, answer: 'end' };

describe('serve --rules', () => {
  test('answers by the first rule that matches, the default last, over both families', async () => {
    const { running, address, address6 } = await serving({
      rules: [
        { when: { exact: 'ping' }, answer: 'pong' },
        { when: { hex: '00 ?? 02' }, answer: { hex: '{data:1} ff' } },
        { when: { size: '3' }, answer: 'three' },
        { when: { regex: '^get (\\w+)(?: (?P<unit>\\w+))?$' }, answer: '{1} in {unit}' },
        { when: { peer: '::1', size: '..1' }, answer: { text: 'hello, {data}' } },
        { when: { exact: 'nothing' }, none: true },
        { when: { regex: 'two' }, answers: ['1', { text: '2' }, { base64: 'Mw==' }] },
      ],
      default: { answer: 'what?' },
    });
    await using server = running;
    for (const to of [address, address6]) {
      const questions = ['ping', '\0\x01\x02', 'abc', 'get lamp kW', 'nothing', 'the two', 'x', '', 'other'];
      const answers = await ask(to, questions, 10);
      const hello = to === address6 ? ['hello, x', 'hello, '] : ['what?', 'what?'];
      expect(answers).toEqual(['pong', '\x01\xff', 'three', 'lamp in kW', '1', '2', '3', ...hello, 'what?']);
    }
    expect(await summaryOf(server)).toMatchObject({ received: 18, sent: 20 });
  });

  test('fills templates with captures, the peer and a counter of each rule', async () => {
    const { running, address } = await serving({
      rules: [{ when: { regex: '^get (?P<what>\\w+)$' }, answer: '{counter} {what} {peer}' }, FENCE],
    });
    await using _server = running;
    await using peer = await silentServer();
    await sendAll(peer, address, ['get a', 'none', 'get b', 'fence']);
    expect((await peer.collect(3)).map(({ data }) => data.toString())).toEqual([
      `1 a ${peer.address}`,
      `2 b ${peer.address}`,
      'end',
    ]);
  });

  test('with regexBytes captures the bytes themselves, whatever they are', async () => {
    const { running, address } = await serving(`
      rules:
        - when: { regexBytes: '^(..)\\x00(?P<rest>.*)$' }
          answer: { hex: '{rest} ff {1}' }
    `);
    await using server = running;
    const ids = Array.from({ length: 256 }, (_, byte) => Buffer.of(byte, 0x0a ^ byte));
    await using peer = await silentServer();
    for (const id of ids) {
      await peer.send(Buffer.concat([id, Buffer.of(0, 0xc3)]), address);
      const { data } = (await peer.collect(peer.received.length + 1)).at(-1)!;
      expect(data).toEqual(Buffer.concat([Buffer.of(0xc3, 0xff), id]));
    }
    expect(await summaryOf(server)).toMatchObject({ received: 256, sent: 256 });
  });

  test('with times matches only so many datagrams, of all peers together, and SIGHUP begins anew', async () => {
    const rules = {
      rules: [
        { when: { regex: '^ping' }, times: '2', answer: 'early {counter}' },
        { when: { exact: 'ping' }, times: '1', answer: 'then' },
      ],
      default: { answer: 'late' },
    };
    const { file, running, address, address6 } = await serving(rules);
    await using server = running;
    const both = async (): Promise<void> => {
      expect(await ask(address, ['other', 'ping'], 2)).toEqual(['late', 'early 1']);
      expect(await ask(address6, ['ping!', 'ping', 'ping'], 3)).toEqual(['early 2', 'then', 'late']);
    };
    await both();
    server.kill('SIGHUP');
    await server.until(`${file} was read again`, 'stderr');
    await both();
  });

  test('takes everything in YAML as text, as written', async () => {
    const { running, address } = await serving(`
      rules:
        - when: { exact: 0102 }
          answer: no
        - when: { hex: 1e10 }
          answer: 1e10
        - when: { exact: fence }
          answer:
            text: |
              two
              lines
    `);
    await using server = running;
    expect(await ask(address, ['0102', Buffer.of(0x1e, 0x10), 'fence'], 3)).toEqual(['no', '1e10', 'two\nlines\n']);
    expect(await summaryOf(server)).toMatchObject({ sent: 3 });
  });

  test('answers with a file, relative to the file of the rules', async () => {
    const payload = randomBytes(60_000);
    writeFileSync(join(folder, 'payload.bin'), payload);
    const { running, address } = await serving({ rules: [], default: { answer: { file: 'payload.bin' } } });
    await using _server = running;
    await using peer = await silentServer();
    await peer.send('', address);
    expect((await peer.collect(1))[0]?.data.equals(payload)).toBe(true);
  });

  sideBySide('delays only responses of rules with a delay', async () => {
    const { running, address } = await serving({
      rules: [
        {
          when: { exact: 'slow' },
          answers: [
            { text: 'late', delay: '3s' },
            { text: 'at once', delay: '0' },
          ],
        },
        { when: { exact: 'fast' }, answer: 'fast' },
      ],
    });
    await using server = running;
    expect(await ask(address, ['slow', 'fast'], 3)).toEqual(['at once', 'fast', 'late']);
    expect(await summaryOf(server)).toMatchObject({ received: 2, sent: 3 });
  });

  test('sends at its end responses that are due soon, and counts the others', async () => {
    const { running, address } = await serving({
      rules: [
        { when: { exact: 'soon' }, answer: { text: 'soon', delay: '900ms' } },
        { when: { exact: 'late' }, answer: { text: 'late', delay: '1h' } },
        FENCE,
      ],
    });
    await using server = running;
    await using peer = await silentServer();
    await sendAll(peer, address, ['soon', 'late', 'fence']);
    await peer.collect(1);
    expect(await summaryOf(server)).toMatchObject({ received: 3, sent: 2, unanswered: 1 });
    expect((await peer.collect(2)).map(({ data }) => data.toString())).toEqual(['end', 'soon']);
  });

  test('ends at once at a second signal, also with delayed responses', async () => {
    const { running, address } = await serving(
      { rules: [FENCE], default: { answer: { text: 'late', delay: '4s' } } },
      '--count',
      '2',
    );
    await using server = running;
    expect(await ask(address, ['x', 'fence'], 1)).toEqual(['end']);
    server.kill('SIGINT');
    server.kill('SIGTERM');
    const { stderr } = await server.outcome;
    expect(jsonLines(stderr).at(-1)).toMatchObject({ received: 2, sent: 1, unanswered: 1 });
  });

  test('sends all delayed responses when --count is reached', async () => {
    const { running, address } = await serving(
      { rules: [], default: { answer: { text: 'late', delay: '300ms' } } },
      '-c',
      '2',
    );
    await using server = running;
    expect(await ask(address, ['1', '2'], 2)).toEqual(['late', 'late']);
    expect((await server.outcome).status).toBe(0);
  });

  test('goes on after empty, random and very large requests', async () => {
    const { running, address } = await serving({
      rules: [
        { when: { regex: '^(\\w+\\s?)*$', size: '1..' }, answer: '{1}' },
        { when: { regex: '(?s)^(.*)\\x00(.*)$' }, answer: 'nul' },
        { when: { hex: '?? ?? ff ...' }, answer: { hex: '{data:2..}' } },
        FENCE,
      ],
      default: { answer: '{data:0..3}' },
    });
    await using server = running;
    const junk = Array.from({ length: 40 }, (_, index) => randomBytes(index * 40));
    const large = [randomBytes(65_507), Buffer.alloc(65_507, 'a'), Buffer.from(`${'a '.repeat(32_000)}!`)];
    await using peer = await silentServer();
    await sendAll(peer, address, ['', ...junk, ...large, '\ufefffence', 'fence!']);
    const all = await peer.collect(junk.length + large.length + 3);
    expect(all.at(-1)?.data.toString()).toBe('fenc');
    expect(await summaryOf(server)).toMatchObject({ received: junk.length + large.length + 3 });
  });

  test('is bound by the guard and the rate limit, before anything is delayed', async () => {
    const { running, address } = await serving({
      rules: [],
      default: { answers: ['a', { text: 'b', delay: '10ms' }] },
    });
    await using server = running;
    await using peer = await silentServer();
    await sendAll(peer, address, Array<string>(150).fill('same'));
    await peer.collect(200);
    expect(await summaryOf(server)).toMatchObject({ received: 150, sent: 200, unanswered: 50 });
  });
});

test.each([
  { window: 1, rounds: 500 },
  { window: 100, rounds: 100 },
])('a client that sends $window new requests after each response gets a response each time', async (load) => {
  const { running, address } = await serving({ rules: [], default: { answer: '{counter} {random:8}' } });
  await using server = running;
  await using peer = await silentServer();
  for (let round = 1; round <= load.rounds; round += 1) {
    await sendAll(
      peer,
      address,
      Array.from({ length: load.window }, (_, index) => `${round} ${index}`),
    );
    await peer.collect(round * load.window);
  }
  const count = load.window * load.rounds;
  expect(await summaryOf(server)).toMatchObject({ received: count, sent: count });
});

describe.each(ENGINE_NAMES)('a request whose responses cannot be sent, by the %s engine,', (engine) => {
  // More bytes than a datagram of IPv4 holds, and fewer than one of IPv6.
  const big = '{random:65520}';
  const late = { text: 'late', delay: '20ms' };
  const twice = ['--duplicate', '100%', '--delay', '20ms', '--jitter', '20ms'];
  test.each([
    { what: 'is not answered', answers: [big], faults: [], sent: 0, unanswered: 2 },
    {
      what: 'counts once, with any number of responses',
      answers: [big, { text: big, delay: '20ms' }],
      faults: [],
      sent: 0,
      unanswered: 2,
    },
    { what: 'counts once, with any number of copies', answers: [big], faults: twice, sent: 0, unanswered: 2 },
    {
      what: 'counts as answered if another response was sent before',
      answers: ['small', big],
      faults: [],
      sent: 2,
      unanswered: undefined,
    },
    {
      what: 'counts as answered if another response is sent later',
      answers: [big, late],
      faults: [],
      sent: 2,
      unanswered: undefined,
    },
    {
      what: 'counts as answered if copies of another response are sent',
      answers: [big, late],
      faults: twice,
      sent: 4,
      unanswered: undefined,
    },
  ])('$what', async ({ answers, faults, sent, unanswered }) => {
    const more = ['--engine', engine, '--count', '2', ...faults];
    const { running, address } = await serving({ rules: [], default: { answers } }, ...more);
    await using server = running;
    await using peer = await silentServer();
    await sendAll(peer, address, ['one', 'two']);
    const { status, stderr } = await server.outcome;
    const summary = jsonLines(stderr).at(-1);
    expect({ status, ...summary }).toMatchObject({ status: 0, received: 2, sent });
    expect(summary?.unanswered).toBe(unanswered);
    await peer.collect(sent);
  });
});

describe('SIGHUP', () => {
  test('reads the rules again, and keeps the old ones if the new ones are wrong', async () => {
    const { file, running, address } = await serving({ rules: [], default: { answer: 'old {counter}' } });
    await using server = running;
    expect(await ask(address, ['1', '2'], 2)).toEqual(['old 1', 'old 2']);
    const reload = async (rules: string | object, says: RegExp): Promise<void> => {
      writeFileSync(file, typeof rules === 'string' ? rules : JSON.stringify(rules));
      server.kill('SIGHUP');
      await server.until(says, 'stderr');
    };
    await reload('rules: []\ndefault: {answer: new}\nx: 1', RegExp(`"level":40.*${file}:3: .*previous rules stay`));
    expect(await ask(address, ['3'], 1)).toEqual(['old 3']);
    await reload({ rules: [], default: { answer: 'new {counter}' } }, RegExp(`"level":30.*${file} was read again`));
    expect(await ask(address, ['4'], 1)).toEqual(['new 1']);
    rmSync(file);
    server.kill('SIGHUP');
    await server.until(/no such file.*previous rules stay/, 'stderr');
    expect(await ask(address, ['5'], 1)).toEqual(['new 2']);
    expect(await summaryOf(server)).toMatchObject({ received: 5, sent: 5 });
  });

  test('ends a server without rules', async () => {
    await using running = startProcess(['serve', '--reply', 'x']);
    await running.listening();
    running.kill('SIGHUP');
    expect(await running.outcome).toMatchObject({ status: null, signal: 'SIGHUP' });
  });
});

describe('a file of rules that is wrong', () => {
  test.each([
    { rules: '', line: 1, says: /a file of rules must have keys: rules, default/ },
    { rules: '[1', line: 1, says: /must end with a \]/ },
    { rules: '{"rules": [}', line: 1, says: /.+/ },
    { rules: 'rules: []\nrules: []', line: 2, says: /unique/ },
    { rules: 'rules: []\nx: 1', line: 2, says: /"x" is no key of a file of rules/ },
    { rules: 'rules: {}', line: 1, says: /rules: it must be a list/ },
    { rules: 'rules: !!js/function x', line: 1, says: /tag/i },
    { rules: 'a: &a [x]\nrules: *b', line: 2, says: /no value before \*b is named &b/ },
    { rules: 'a: b\n? [x, y]\n: c', line: 2, says: /a key is text, not a list or a map/ },
    { rules: 'a: &a {x: y}\n*a : c', line: 2, says: /a key is text, not a list or a map/ },
    { rules: 'a: &a x\n*a : c\nrules: []', line: 1, says: /"a" is no key of a file of rules/ },
    { rules: 'a: b\nrules: !!set {x, y}', line: 2, says: /Unresolved tag: tag:yaml.org,2002:set/ },
    { rules: 'rules:\n- answer: x', line: 2, says: /rules\[1\].*needs "when"/ },
    {
      rules: 'rules:\n- when: {}\n  answer: x',
      line: 2,
      says: /when: it needs one of exact, hex, regex, regexBytes, size, peer/,
    },
    { rules: 'rules:\n- when: {regex: a, regexBytes: a}\n  none: true', line: 2, says: /has regex and regexBytes/ },
    { rules: 'rules:\n- when: {regexBytes: (}\n  none: true', line: 2, says: /when\.regexBytes: "\(": .*closing/ },
    { rules: 'rules:\n- when: {exact: a}\n  times: 0\n  none: true', line: 3, says: /times: "0": .*from 1/ },
    { rules: 'rules: []\ndefault: {answer: x, times: 1}', line: 2, says: /"times" is no key of the default/ },
    { rules: 'rules:\n- when: {exact: x}', line: 2, says: /rules\[1\]: it needs one of answer, answers, none/ },
    { rules: 'rules:\n- when: {exact: x}\n  answer: y\n  none: true', line: 2, says: /needs one of/ },
    { rules: 'rules:\n- when: {exact: x}\n  none: yes', line: 3, says: /none: it must be true/ },
    { rules: 'rules:\n\n- when: {size: x}\n  answer: x', line: 3, says: /when\.size: "x": A size in bytes is 5/ },
    { rules: 'rules:\n- when:\n    hex: 0\n  answer: x', line: 3, says: /when\.hex: "0": hex digits come in pairs/ },
    { rules: 'rules:\n- when: {regex: (}\n  answer: x', line: 2, says: /when\.regex: "\(": .*missing closing/ },
    { rules: 'rules:\n- when: {peer: here}\n  answer: x', line: 2, says: /when\.peer: "here": An address block/ },
    { rules: 'rules:\n- when: {peer: [::1, x]}\n  answer: x', line: 2, says: /when\.peer: An address block/ },
    { rules: 'rules:\n- when: {regex: a}\n  answer: "{1}"', line: 3, says: /answer: "\{1\}": \{1\} is no field/ },
    { rules: 'rules: []\ndefault:\n  answer: {}', line: 3, says: /answer needs one of text, hex, base64, file/ },
    { rules: 'rules: []\ndefault:\n  answers:\n  - x\n  - {hex: x}', line: 5, says: /answers\[2\]\.hex: "x"/ },
    {
      rules: 'rules:\n- when: {exact: x}\n  answers: []',
      line: 3,
      says: /rules\[1\]\.answers: it is empty; none: true/,
    },
    { rules: 'rules: []\ndefault:\n  answers: []', line: 3, says: /default\.answers: it is empty; none: true/ },
    { rules: '# none\nrules: []', line: 2, says: /rules: it is empty, and there is no default/ },
    {
      rules: 'rules:\n- when: {peer: []}\n  answer: x',
      line: 2,
      says: /when\.peer: it is empty/,
    },
    { rules: 'rules: []\ndefault:\n  answer: {base64: "="}', line: 3, says: /base64/ },
    { rules: 'rules: []\ndefault:\n  answer: {text: x, delay: 1 day}', line: 3, says: /delay: "1 day": A duration/ },
    { rules: `rules: []\ndefault:\n  answer: ${'x'.repeat(65_528)}`, line: 3, says: /more than a datagram holds/ },
  ])('is status 2 with file, line and reason: %j', async ({ rules, line, says }) => {
    const file = rulesFile(rules);
    const { status, stdout, stderr } = await udpcat(['serve', '--rules', file]);
    expect(stderr).toMatch(RegExp(`^udpcat: ${file}:${line}: [^\n]+\n$`));
    expect(stderr).toMatch(says);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: '' });
  });

  test('is status 1 if it, or a file that it names, cannot be read', async () => {
    const missing = join(folder, 'nosuch');
    const answering = rulesFile({ rules: [], default: { answer: { file: 'nosuch' } } });
    for (const file of [missing, answering]) {
      const { status, stderr } = await udpcat(['serve', '--rules', file]);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: `udpcat: cannot read ${missing}: no such file (ENOENT)\n`,
      });
    }
    const binary = join(folder, 'binary.yaml');
    writeFileSync(binary, Buffer.of(0xff));
    expect(await udpcat(['serve', '--rules', binary])).toMatchObject({
      status: 2,
      stderr: `udpcat: ${binary}: it is not UTF-8 text\n`,
    });
    writeFileSync(binary, Buffer.alloc(1024 * 1024 + 1, ' '));
    expect((await udpcat(['serve', '--rules', binary])).stderr).toBe(
      `udpcat: ${binary}: it is larger than 1 MiB, the limit of a file of rules\n`,
    );
  });

  test('does not fill the memory with aliases of aliases', async () => {
    const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
    for (let n = 1; n < 12; n += 1)
      lines.push(
        `a${n}: &a${n} [${Array<string>(9)
          .fill(`*a${n - 1}`)
          .join(',')}]`,
      );
    const { status, stderr } = await udpcat(['serve', '--rules', rulesFile(lines.join('\n'))]);
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringMatching(/alias/i) });
  });
});
