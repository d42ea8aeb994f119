// The table about the start of the command. Runs `npm run bench:start`.
import { fileURLToPath } from 'node:url';
import { start } from './programs.mjs';

const program = fileURLToPath(new URL('start.mjs', import.meta.url));
const ROUNDS = 40;

/** Returns the table about the start of the command. */
export function startingRows({ isQuick }) {
  return [
    {
      title: 'start-up of one-shot send, CPU time against an empty Node program',
      figures: async () => {
        const rounds = isQuick ? ROUNDS / 10 : ROUNDS;
        const { out } = await start([process.execPath, program, String(rounds)]).ended;
        const [, ratio, most] = /ratio ([\d.]+), at most ([\d.]+)/.exec(out);
        return [
          { name: 'udpcat send : node empty.cjs', value: Number(ratio), unit: '', target: { most: Number(most) } },
        ];
      },
    },
  ];
}
