import { expect } from '@jest/globals';
import { testWithLinuxEngine } from '../support/engines.js';
import { runInProcess } from '../support/in-process.js';
import { silentServer } from '../support/sockets.js';

const JSON_LINE = '{"v":1,"type":"datagram","data":"a"}\n';

for (const { what, args, stdin, stdinBytes, isLinux } of [
  { what: 'a pipe of lines', args: [], stdin: 'a\n', stdinBytes: Infinity, isLinux: false },
  { what: 'a pipe of JSON lines', args: ['--frame', 'json'], stdin: JSON_LINE, stdinBytes: Infinity, isLinux: true },
  { what: 'a small file', args: ['--frame', 'json'], stdin: JSON_LINE, stdinBytes: JSON_LINE.length, isLinux: false },
  { what: 'a large file', args: [], stdin: 'a\n', stdinBytes: 1024 * 1024, isLinux: true },
]) {
  testWithLinuxEngine(
    `send loads the linux engine only for a stdin that may hold many datagrams: ${what}`,
    async () => {
      await using server = await silentServer();
      const { ending, stderr } = await runInProcess(['send', server.address, ...args, '-v'], { stdin, stdinBytes });
      expect(ending).toBe(0);
      expect(stderr.includes('udpcat: the linux engine is used')).toBe(isLinux);
      expect((await server.collect(1)).map(({ data }) => String(data))).toEqual(['a']);
    },
  );
}
