// The tables about the faults of `relay`, beside those of tc-netem(8) and tc-tbf(8), and about many sessions without traffic.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { hasProgram, run, runForJson } from './programs.mjs';
import { behind, memoryOf } from './relaying.mjs';

/** The standard score of the 99.9 % interval of a binomial distribution, which is nearly normal here. */
const SCORE = 3.2905;
const SIZE = 64;
/** The parameters of the bursts: the chances that one begins, and that it ends. */
const [BEGIN, END] = [0.01, 0.25];
/** The clock of Linux counts in hundredths of a second. */
const TICK_MS = 10;

/** The distance of a share from a probability, as a part of half the 99.9 % interval. @param widened the factor of the interval */
function offBy(share, probability, count, widened = 1) {
  return Math.abs(share - probability) / (SCORE * widened * Math.sqrt((probability * (1 - probability)) / count));
}

/** Processor time of a program in ms. */
function processorTimeOf({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Returns the tables about faults and sessions of `relay`. */
export function faultingRows({ networks, seconds, isQuick, leaveOut }) {
  const [loopback, veth] = networks;
  const rate = 50_000;
  const many = isQuick ? 100_000 : 1_000_000;

  const load = (place, port, [size, perSecond, count]) => {
    const words = [place.network.address, port, size, perSecond, Math.round(count)].map(String);
    return runForJson(place.network.near([place.programs.fates, ...words]));
  };
  /** Sends through a relay with faults on the way up. */
  const relayed = (programs, faults, traffic) => {
    const place = { network: loopback, programs, words: ['--seed', '7', '--max-sessions', '10', ...faults] };
    return behind('udpcat', place, (port) => load(place, port, traffic));
  };
  /** Sends over a device whose queue has faults. Undefined where the kernel has no such queue. */
  const queued = async (programs, words, traffic) => {
    if (veth === undefined) return undefined;
    if (!hasProgram('tc')) return leaveOut(`tc ${words[0]}: tc is not installed`);
    const tc = (...rest) => run(veth.near(['tc', 'qdisc', ...rest]));
    try {
      await tc('add', 'dev', 'veth0', 'root', ...words);
    } catch (error) {
      return leaveOut(`tc ${words[0]}: ${error.message.split('failed: ').at(-1).trim()}`);
    }
    try {
      return await behind('none', { network: veth, programs }, (port) =>
        load({ network: veth, programs }, port, traffic),
      );
    } finally {
      await tc('del', 'dev', 'veth0', 'root');
    }
  };
  /** Makes the figures of udpcat, with their targets, and those of the queue. */
  const beside = async (programs, faults, queue, traffic, figuresOf) => {
    const [own, other] = [await relayed(programs, faults, traffic), await queued(programs, queue, traffic)];
    return [
      ...figuresOf(own).map((figure) => ({ ...figure, name: `${figure.name}, udpcat` })),
      ...(other === undefined ? [] : figuresOf(other)).map(({ name, value, unit }) => ({
        name: `${name}, tc ${queue[0]}`,
        value,
        unit,
      })),
    ];
  };

  const fates = {
    title: `relay, fates of ${many} datagrams`,
    needs: ['cc'],
    figures: async (programs) => {
      const traffic = [SIZE, rate, many];
      const most = { most: 1 };
      const correlation = 1 - BEGIN - END;
      const widened = Math.sqrt((1 + correlation) / (1 - correlation));
      const percent = (share) => `${share * 100}%`;
      return [
        ...(await beside(programs, ['--up-loss', '5%'], ['netem', 'loss', '5%', 'limit', '100000'], traffic, (it) => [
          {
            name: 'loss 5 %: off, by the interval',
            value: offBy(1 - it.answered / it.sent, 0.05, it.sent),
            unit: '',
            target: most,
          },
        ])),
        ...(await beside(
          programs,
          ['--up-duplicate', '5%'],
          ['netem', 'duplicate', '5%', 'limit', '100000'],
          traffic,
          (it) => [
            {
              name: 'duplicate 5 %: off, by the interval',
              value: offBy(it.copies / it.sent, 0.05, it.sent),
              unit: '',
              target: most,
            },
          ],
        )),
        ...(await beside(
          programs,
          ['--up-burst-loss', `${percent(BEGIN)}:${percent(END)}`],
          ['netem', 'loss', 'gemodel', percent(BEGIN), percent(END), 'limit', '100000'],
          traffic,
          (it) => {
            const lost = it.sent - it.answered;
            return [
              {
                name: 'burst loss 1 %:25 %: off, by the interval',
                value: offBy(lost / it.sent, BEGIN / (BEGIN + END), it.sent, widened),
                unit: '',
                target: most,
              },
              {
                name: 'mean length of bursts, off',
                value: Math.abs(lost / it.bursts / (1 / END) - 1) * 100,
                unit: '%',
                // A run with --quick has too few bursts for the limit of 2 %.
                target: { most: isQuick ? 10 : 2 },
              },
            ];
          },
        )),
      ];
    },
  };

  const DELAY_MS = 20;
  const delays = {
    title: `relay, --up-delay ${DELAY_MS}ms, 10000 datagrams a second`,
    needs: ['cc'],
    figures: async (programs) => {
      const traffic = [SIZE, 10_000, 10_000 * seconds(10)];
      return beside(
        programs,
        ['--up-delay', `${DELAY_MS}ms`],
        ['netem', 'delay', `${DELAY_MS}ms`, 'limit', '100000'],
        traffic,
        (it) => [
          {
            name: 'reply by the kernel, later than asked, median',
            value: it.p50 - DELAY_MS,
            unit: 'ms',
            target: { most: 0.2 },
          },
          { name: 'the same, p99', value: it.p99 - DELAY_MS, unit: 'ms', target: { most: 1.5 } },
        ],
      );
    },
  };

  const MEGABITS = 10;
  const bandwidth = {
    title: `relay, --up-bandwidth ${MEGABITS}mbit`,
    needs: ['cc'],
    figures: async (programs) => {
      const size = 1000;
      // Twice as much as the line carries.
      const perSecond = Math.round((2 * MEGABITS * 1e6) / 8 / (size + 28));
      // The queue counts the header of Ethernet, too, which the replies do not show.
      const queue = [
        'tbf',
        'rate',
        `${Math.round(MEGABITS * 1e6 * ((size + 42) / (size + 28)))}bit`,
        'burst',
        '5k',
        'latency',
        '100ms',
      ];
      return beside(
        programs,
        ['--up-bandwidth', `${MEGABITS}mbit`],
        queue,
        [size, perSecond, perSecond * seconds(10)],
        ({ bits }) => [
          { name: 'rate, off', value: Math.abs(bits / (MEGABITS * 1e6) - 1) * 100, unit: '%', target: { most: 1 } },
        ],
      );
    },
  };

  const sessions = isQuick ? 1000 : 10_000;
  /** Opens sessions, and measures a relay while they have no traffic. */
  const idle = (kind, programs) =>
    behind(kind, { network: loopback, programs }, async (port, program) => {
      const begin = (count, warmUp) =>
        run([
          programs['clients-load'],
          loopback.address,
          String(port),
          String(SIZE),
          String(count),
          String(warmUp),
          '2',
        ]);
      await begin(1, 0);
      const before = memoryOf(program);
      await begin(sessions, 1);
      // Sessions end after a minute without traffic.
      const [used, tookSeconds] = [processorTimeOf(program), isQuick ? 2 : 20];
      await delay(tookSeconds * 1000);
      const percent = (processorTimeOf(program) - used) / (tookSeconds * 10);
      return { percent, memory: memoryOf(program) - before };
    });
  const still = {
    title: `relay, ${sessions} sessions without traffic`,
    unit: '% of a core',
    contenders: ['udpcat', 'nginx'].map((kind) => ({
      name: kind === 'udpcat' ? 'udpcat relay' : 'nginx, stream',
      needs: ['cc', ...(kind === 'nginx' ? ['nginx'] : [])],
      measure: async (programs) => ({ value: (await idle(kind, programs)).percent }),
    })),
  };

  const ROUNDS = isQuick ? 6 : 30;
  const ports = {
    title: `relay --session-timeout 200ms, ${ROUNDS} times 1000 clients from new ports`,
    needs: ['cc'],
    figures: async (programs) => {
      const place = { network: loopback, programs, words: ['--session-timeout', '200ms'] };
      return behind('udpcat', place, async (port, program) => {
        const descriptors = () => readdirSync(`/proc/${program.pid}/fd`).length;
        const [memory, open] = [[], descriptors()];
        for (let round = 1; round <= ROUNDS; round += 1) {
          await run([programs['clients-load'], loopback.address, String(port), String(SIZE), '1000', '0', '1']);
          await delay(400);
          memory.push(memoryOf(program));
        }
        const [middle, end] = [memory[memory.length >> 1], memory.at(-1)];
        return [
          { name: 'memory at the end, by that in the middle', value: end / middle, unit: '', target: { most: 1.1 } },
          { name: 'descriptors more than at the start', value: descriptors() - open, unit: '', target: { most: 4 } },
        ];
      });
    },
  };
  return [fates, delays, bandwidth, still, ports];
}
