// The tables about memory: how much `serve` takes during a flood.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { loopback } from './networks.mjs';
import { portOf, start, stop, udpcat } from './programs.mjs';

const SECONDS = 60;
/** Seconds at the beginning that do not count for the growth. */
const WARM_UP = 10;

/** Returns the resident memory of a process in MB of 1,000,000 bytes. */
const residentMb = ({ pid }) =>
  (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) * 1024) / 1e6;

/** Returns the slope of the line closest to the points, by least squares. */
function slope(points) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return over / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/**
 * Floods `serve` at full speed and reads its memory once a second. Returns the maximum, and the growth after the
 * warm-up.
 */
async function flood(programs, output, seconds) {
  const receiver = start([...udpcat, 'serve', '127.0.0.1:0', '-o', output], { stdout: 'ignore' });
  const port = await portOf(receiver);
  const sender = start([programs['send-segments'], loopback.address, String(port), '64', String(seconds(SECONDS))]);
  const points = [];
  for (let nth = 1; nth < SECONDS; nth++) {
    await delay(seconds(1) * 1000);
    points.push([nth, residentMb(receiver)]);
  }
  await sender.ended;
  await stop(receiver);
  return {
    most: Math.max(...points.map(([, mb]) => mb)),
    growth: slope(points.filter(([nth]) => nth >= WARM_UP)) * (SECONDS - WARM_UP),
  };
}

/** Returns the tables about memory. Each is one long run. */
export function rememberingRows({ seconds }) {
  return ['none', 'json'].map((output) => ({
    title: `memory of serve -o ${output} > /dev/null in a flood of ${SECONDS} s`,
    needs: ['cc'],
    figures: async (programs) => {
      const { most, growth } = await flood(programs, output, seconds);
      return [
        { name: 'resident, at most', value: most, unit: 'MB', target: { most: 150 } },
        { name: `growth in the last ${SECONDS - WARM_UP} s`, value: growth, unit: 'MB', target: { most: 5 } },
      ];
    },
  }));
}
