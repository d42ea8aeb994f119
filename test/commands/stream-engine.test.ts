import { expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { runInProcess } from '../support/in-process.js';
import { silentServer } from '../support/sockets.js';

const testWithLinux = ENGINE_NAMES.includes('linux') ? test : test.skip;
const JSON_LINE = '{"v":1,"type":"datagram","data":"a"}\n';

testWithLinux.each([
  { what: 'a pipe of lines', args: [], stdin: 'a\n', stdinBytes: Infinity, isLinux: false },
  { what: 'a pipe of JSON lines', args: ['--frame', 'json'], stdin: JSON_LINE, stdinBytes: Infinity, isLinux: true },
  { what: 'a small file', args: ['--frame', 'json'], stdin: JSON_LINE, stdinBytes: JSON_LINE.length, isLinux: false },
  { what: 'a large file', args: [], stdin: 'a\n', stdinBytes: 1024 * 1024, isLinux: true },
])('send loads the linux engine only for a stdin that may hold many datagrams: $what', async (given) => {
  const { args, stdin, stdinBytes, isLinux } = given;
  await using server = await silentServer();
  const { ending, stderr } = await runInProcess(['send', server.address, ...args, '-v'], { stdin, stdinBytes });
  expect(ending).toBe(0);
  expect(stderr.includes('udpcat: the linux engine is used')).toBe(isLinux);
  expect((await server.collect(1)).map(({ data }) => String(data))).toEqual(['a']);
});
