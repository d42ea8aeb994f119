import { networkInterfaces } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { kernelOptions } from '../../src/commands/options/kernel.js';
import { DatagramError, startUdpServer } from '../../src/net/index.js';
import { checkOptions, hasOption, SOCKET_OPTIONS } from '../../src/net/socket-options.js';
import { datagramError } from '../support/net.js';

const ranges = Object.entries(SOCKET_OPTIONS).flatMap(([name, row]) => ('least' in row ? [{ name, ...row }] : []));
const foreign = Object.keys(SOCKET_OPTIONS).filter((name) => !hasOption('node', name));

describe('the table of socket options', () => {
  test.each(ranges)('holds the range of $name: $least to $most', ({ name, least, most }) => {
    for (const value of [least, most]) {
      expect(() => {
        checkOptions({ [name]: value });
      }).not.toThrow();
    }
    for (const value of [least - 1, most + 1, least + 0.5]) {
      const message = `${name} must be a whole number from ${least} to ${most}, not ${value}`;
      expect(() => {
        checkOptions({ [name]: value });
      }).toThrow(new DatagramError('INVALID_OPTION', message));
    }
  });

  test('names the options that the node engine does not have', () => {
    expect(foreign).toEqual(['dscp', 'dontFragment', 'bindDevice', 'reusePort']);
    expect(Object.keys(SOCKET_OPTIONS).filter((name) => !hasOption('linux', name))).toEqual([]);
    expect(hasOption('node', 'toString')).toBe(true);
  });

  test.each(foreign)(
    'has the node engine refuse %s, and leaves it out where it is false or undefined',
    async (name) => {
      const bindDevice = Object.keys(networkInterfaces())[0];
      const options: Record<string, unknown> = { dscp: 46, dontFragment: true, bindDevice, reusePort: true };
      const opening = startUdpServer('127.0.0.1:0', { engine: 'node', [name]: options[name] });
      expect(await datagramError(opening)).toMatchObject({
        code: 'UNSUPPORTED',
        message: `the node engine cannot set ${name}; the linux engine can`,
      });
      const left: unknown = typeof options[name] === 'boolean' ? false : undefined;
      await using server = await startUdpServer('127.0.0.1:0', { engine: 'node', [name]: left });
      expect(server.engine).toBe('node');
    },
  );

  test('has a flag on the command line for each option of one engine only, under the same name', () => {
    expect(Object.keys(kernelOptions())).toEqual(expect.arrayContaining(foreign));
  });
});
