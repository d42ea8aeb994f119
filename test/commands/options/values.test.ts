import { describe, expect, test } from '@jest/globals';
import * as check from '../../../src/check/expectation.js';
import * as socket from '../../../src/commands/options/socket.js';
import { parseReplies } from '../../../src/commands/options/send.js';
import { parseBandwidth } from '../../../src/faults/bandwidth.js';
import { parseBlackhole } from '../../../src/faults/blackhole.js';
import { parseBurstLoss } from '../../../src/faults/burst-loss.js';
import { parseJitter } from '../../../src/faults/jitter.js';
import { parseNumbers } from '../../../src/faults/lose.js';
import { parseSeed } from '../../../src/faults/random.js';
import { parseAddressBlock } from '../../../src/guard/access-list.js';
import { parseFrame } from '../../../src/input/framing.js';
import { ValueError } from '../../../src/net/errors.js';
import * as duration from '../../../src/text/duration.js';
import * as number from '../../../src/text/number.js';
import * as size from '../../../src/text/size.js';
import { oneOf, parseText } from '../../../src/text/value.js';
import { fc, holds } from '../../support/property.js';

/** What each of these texts is read as, and which are refused. */
function reads<Value>(
  parse: (text: string) => Value,
  accepted: readonly (readonly [string, Value])[],
  refused: readonly string[],
): void {
  test.each(accepted)('%j is read as %j', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  test.each(refused)('%j is refused, with what is accepted instead', (text) => {
    expect(() => parse(text)).toThrow(ValueError);
    expect(() => parse(text)).toThrow(/^(A|An|It|Replies) .*(is|are) .*\.$/);
  });

  test('any other text is read or refused, and nothing else happens', () => {
    const pieces = fc.constantFrom(...Array.from('0159.-+ eE/:'), '..', 's', 'ms', 'm', 'h', 'k', 'Ki', 'M', '∞', '１');
    holds(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            expect(parse(text)).not.toBeNaN();
          } catch (error) {
            expect(error).toBeInstanceOf(ValueError);
          }
        },
      ),
    );
  });
}

const NO_NUMBERS = ['', ' ', '-1', '+1', '1e3', '0x10', '1,5', '1_000', '١', 'NaN', 'Infinity', '9'.repeat(400)];

describe('a duration', () => {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
  const accepted = [
    ['250ms', 250],
    ['2s', 2000],
    ['1.5s', 1500],
    ['3m', 180_000],
    ['1h', 3_600_000],
    ['2', 2000],
    ['0.25', 250],
    ['1.001s', 1001],
    ['0.5ms', 0.5],
    ['1000h', 3_600_000_000],
  ] as const;
  const refused = [
    ...NO_NUMBERS,
    '1 s',
    ' 1s',
    '1s ',
    '.5s',
    '1.s',
    '1d',
    '1S',
    '1sec',
    '1m30s',
    '1k',
    's',
    '9e9h',
    '1\n',
  ];
  reads(duration.parseDuration, accepted, [...refused, '0', '0s', '0.0ms', '0.0001ms']);
  describe('that may be 0', () => {
    reads(duration.parseDurationOrZero, [...accepted, ['0', 0], ['0ms', 0], ['0.0h', 0]], refused);
  });

  test('with decimals is what was written, to the microsecond', () => {
    holds(
      fc.property(fc.nat(1e9), fc.constantFrom<keyof typeof units>('ms', 's', 'm', 'h'), (thousandths, unit) => {
        const ms = duration.parseDurationOrZero(`${(thousandths / 1000).toFixed(3)}${unit}`);
        expect(ms).toBe((thousandths * units[unit]) / 1000);
      }),
    );
  });
});

describe('a size', () => {
  const accepted = [
    ['1400', 1400],
    ['64k', 64_000],
    ['1M', 1_000_000],
    ['64Ki', 65_536],
    ['64KiB', 65_536],
    ['1Mi', 1_048_576],
    ['1MiB', 1_048_576],
  ] as const;
  const refused = [...NO_NUMBERS, '1.5k', '1K', '1kB', '1MB', '1m', '1G', '1 k', 'k', '1B', '9007199254740993'];
  reads(size.parseSize, accepted, [...refused, '0', '0k']);
  describe('that may be 0', () => {
    reads(size.parseSizeOrZero, [...accepted, ['0', 0], ['0Ki', 0]], refused);
  });
  describe('of a kernel buffer', () => {
    reads(socket.parseBufferSize, [...accepted, ['1073741823', 1_073_741_823]], [...refused, '0', '1024Mi', '2000M']);
  });

  describe('of a file', () => {
    const gigabytes = [
      ['1G', 1_000_000_000],
      ['2Gi', 2_147_483_648],
      ['2GiB', 2_147_483_648],
    ] as const;
    const wrong = [...refused.filter((text) => text !== '1G'), '0', '0G', '1.5G', '1GB', '9007199254740993G'];
    reads(size.parseFileSize, [...accepted, ...gigabytes], wrong);
  });

  test('is its number of its units', () => {
    const units = { '': 1, k: 1e3, M: 1e6, Ki: 1024, KiB: 1024, Mi: 1_048_576, MiB: 1_048_576 } as const;
    holds(
      fc.property(fc.nat(), fc.constantFrom(...(Object.keys(units) as (keyof typeof units)[])), (count, unit) => {
        expect(size.parseSizeOrZero(`${count}${unit}`)).toBe(count * units[unit]);
      }),
    );
  });
});

describe('the bounds of a size', () => {
  reads(
    check.parseSizeRange,
    [
      ['5', { min: 5, max: 5 }],
      ['0', { min: 0, max: 0 }],
      ['5..', { min: 5 }],
      ['..9', { max: 9 }],
      ['5..9', { min: 5, max: 9 }],
      ['5..5', { min: 5, max: 5 }],
      ['1k..2Ki', { min: 1000, max: 2048 }],
    ],
    ['', '..', '...', '9..5', '5.9', '5...9', '5..9..', '-1..5', '5-9', 'a..', '..b', '5 .. 9', '1.5..2'],
  );

  test('hold for any two numbers in order, and for no two out of order', () => {
    holds(
      fc.property(fc.nat(), fc.nat(), (one, other) => {
        const [min, max] = [Math.min(one, other), Math.max(one, other)];
        expect(check.parseSizeRange(`${min}..${max}`)).toEqual({ min, max });
        if (min < max) expect(() => check.parseSizeRange(`${max}..${min}`)).toThrow(ValueError);
      }),
    );
  });
});

describe('a count', () => {
  const refused = [...NO_NUMBERS, '0', '1.0', '1k', ' 1', '1 ', '9007199254740992'];
  reads(
    number.parseCount,
    [
      ['1', 1],
      ['4000', 4000],
      ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ],
    refused,
  );
  describe('of replies', () => {
    reads(
      parseReplies,
      [
        ['1', 1],
        ['all', 'all'],
      ],
      [...refused, 'ALL', 'any'],
    );
  });
});

describe('a hop limit', () => {
  reads(
    socket.parseTtl,
    [
      ['1', 1],
      ['255', 255],
    ],
    [...NO_NUMBERS, '0', '256', '1.5'],
  );
});

describe('a rate', () => {
  reads(
    number.parseRate,
    [
      ['1000/s', 1000],
      ['1000', 1000],
      ['0.5', 0.5],
      ['50k/s', 50_000],
      ['1M/s', 1_000_000],
      ['0.5/s', 0.5],
      ['max', Infinity],
    ],
    [
      ...NO_NUMBERS,
      '0',
      '50k',
      '0/s',
      '0.0k/s',
      '-1/s',
      '10/m',
      '10 /s',
      '10Ki/s',
      '/s',
      'MAX',
      `${'9'.repeat(400)}/s`,
    ],
  );
});

describe('a percentage', () => {
  reads(
    number.parsePercentage,
    [
      ['5%', 0.05],
      ['0.1%', 0.001],
      ['0%', 0],
      ['100%', 1],
      ['12.5%', 0.125],
    ],
    ['5', '0.05', '100.1%', '-1%', '%', '5 %', '.5%', '5.%', '1e1%', ''],
  );
});

describe('a burst loss', () => {
  reads(
    parseBurstLoss,
    [
      ['1%:25%', { p: 0.01, r: 0.25, k: 1, h: 0 }],
      ['1%:25%:99%', { p: 0.01, r: 0.25, k: 0.99, h: 0 }],
      ['1%:25%:99%:50%', { p: 0.01, r: 0.25, k: 0.99, h: 0.5 }],
    ],
    ['1%', '1%:', ':1%', '1:25', '1%:25%:', '1%::99%', '1%:2%:3%:4%:5%', '101%:1%', ''],
  );
});

describe('a jitter', () => {
  reads(
    parseJitter,
    [
      ['5ms', { ms: 5, distribution: 'uniform' }],
      ['0.5:uniform', { ms: 500, distribution: 'uniform' }],
      ['1s:normal', { ms: 1000, distribution: 'normal' }],
    ],
    ['0', '0ms:normal', '5ms:', ':normal', '5ms:pareto', '5ms:normal:', '-5ms', ''],
  );
});

describe('a blackhole', () => {
  reads(
    parseBlackhole,
    [
      ['2s..5s', { fromMs: 2000, toMs: 5000 }],
      ['0..1.5s', { fromMs: 0, toMs: 1500 }],
      ['1.5s..2.5s', { fromMs: 1500, toMs: 2500 }],
      ['..5s', { fromMs: 0, toMs: 5000 }],
      ['250ms..', { fromMs: 250, toMs: Infinity }],
    ],
    ['..', '2s', '2s.5s', '5s..2s', '2s..2s', '..0', '2s...5s', '1s..2s..3s', 'a..b', ''],
  );
});

describe('the numbers of --lose', () => {
  reads(
    parseNumbers,
    [
      ['1', { from: 1, to: 1 }],
      ['2..5', { from: 2, to: 5 }],
      ['7..7', { from: 7, to: 7 }],
    ],
    ['0', '0..2', '3..2', '..2', '2..', '1...2', '1.5', 'x', ''],
  );
});

describe('a bandwidth', () => {
  reads(
    parseBandwidth,
    [
      ['56kbit', 56_000],
      ['1.5mbit', 1_500_000],
      ['1gbit', 1e9],
      ['300bit', 300],
    ],
    ['0bit', '10', '10Mbit', '10mb', '-1kbit', 'kbit', ''],
  );
});

describe('a seed', () => {
  reads(
    parseSeed,
    [
      ['0', 0],
      ['4294967295', 4_294_967_295],
    ],
    ['4294967296', '-1', '1.5', '0x10', ''],
  );
});

describe('a frame', () => {
  reads(
    parseFrame,
    [
      ['lines', { kind: 'lines' }],
      ['null', { kind: 'null' }],
      ['whole', { kind: 'whole' }],
      ['length', { kind: 'length' }],
      ['json', { kind: 'json' }],
      ['chunk:1', { kind: 'chunk', bytes: 1 }],
      ['chunk:64k', { kind: 'chunk', bytes: 64_000 }],
    ],
    ['', 'line', 'LINES', 'chunk', 'chunk:', 'chunk:0', 'chunk:-1', 'chunk:1.5', 'chunk:a', 'null ', 'toString'],
  );
});

describe('a block of addresses', () => {
  reads(
    parseAddressBlock,
    [
      ['192.0.2.0/24', { address: '192.0.2.0', prefixBits: 24 }],
      ['::1', { address: '::1', prefixBits: 128 }],
    ],
    ['', 'localhost', '192.0.2.0/33', '192.0.2', '::1/129', '192.0.2.0/24/1'],
  );
});

describe('one word of several', () => {
  reads(
    oneOf(['pretty', 'json']),
    [
      ['pretty', 'pretty'],
      ['json', 'json'],
    ],
    ['', 'JSON', 'pret', 'toString'],
  );

  test('that is refused is answered with all of them', () => {
    expect(() => oneOf(['pretty', 'json'])('xml')).toThrow('It is one of pretty, json.');
  });
});

test('text is taken as it stands', () => {
  expect(parseText(' \0ä ')).toBe(' \0ä ');
});
