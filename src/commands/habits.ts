import type { Command, CommanderError } from 'commander';
import { parseAddress } from '../net/index.js';
import { COMMAND_NAMES } from './names.js';

/** Words that users of other tools type, and the remedy for them. */
interface Habit {
  readonly words: readonly string[];
  /**
   * The remedy for `serve`, `echo` and a command line without a command. The value that the user gave replaces the text in
   * braces. Undefined: the row is not for them.
   */
  readonly serving?: string;
  /** The remedy for `send`. Undefined: the row is not for it. */
  readonly sending?: string;
}

function everywhere(words: readonly string[], remedy: string): Habit {
  return { words, serving: remedy, sending: remedy };
}

const RUN_PROGRAM = 'a program runs by --exec: udpcat serve 8000 --exec PROGRAM';

/** Options of netcat (OpenBSD, GNU), ncat, socat, nping and iperf that udpcat does not have. */
export const FOREIGN_OPTIONS: readonly Habit[] = [
  everywhere(['-u', '--udp'], 'udpcat speaks only UDP; leave it out'),
  everywhere(['-l', '-L', '--listen', '--server'], 'the command serve listens: udpcat serve {8000}'),
  {
    words: ['-p', '--port', '--local-port', '--source-port'],
    serving: 'the port is an argument: udpcat serve {8000}',
    sending: 'the local port is -b {8000}; the port of the destination belongs to its address: 127.0.0.1:8000',
  },
  {
    words: ['-s', '--source', '--source-address', '--local-address', '--from'],
    serving: 'the address to bind is an argument: udpcat serve 127.0.0.1:8000',
    sending: 'the local address is -b {192.0.2.1}',
  },
  everywhere(['--host', '--address', '--target', '--to'], 'the address is an argument: 127.0.0.1:8000'),
  { words: ['-n'], serving: 'to stop after {2} datagrams, write -c {2}' },
  { words: ['-w', '--wait'], serving: 'to stop after that long without a datagram, write --idle {2s}' },
  {
    words: ['-W', '--number', '--limit', '--max-packets'],
    serving: 'to stop after {2} datagrams, write -c {2}',
    sending: 'to stop after {2} replies, write -n {2}; to send each message {2} times, write -c {2}',
  },
  {
    words: ['-q', '--timeout', '--idle-timeout', '--time'],
    serving: 'to stop after that long without a datagram, write --idle {2s}; to stop in any case, --duration {2s}',
    sending: 'to wait that long for replies, write -w {2s}; to limit the whole run, --deadline {2s}',
  },
  everywhere(['-k', '--keep-open'], 'udpcat serve hears every peer until it is ended; leave it out'),
  everywhere(['-j', '-J', '--json', '--jsonl'], 'write -o json'),
  everywhere(['-X', '--dump', '--hexdump', '--hex-dump'], 'write -o dump'),
  everywhere(['--raw'], 'write -o raw'),
  everywhere(['--base64'], 'write -o base64, or -e base64 for messages'),
  everywhere(['--escaped'], 'write -e escaped'),
  { words: ['-C', '--crlf'], sending: 'write --eol crlf' },
  {
    words: ['-z', '--scan', '--ping'],
    sending: 'only a reply shows that somebody listens; ask for one: udpcat send 127.0.0.1:8000 hello -w 1s',
  },
  {
    words: ['-i', '--delay', '--every', '--period'],
    sending: 'write --interval {1s}, and -c for the number of rounds',
  },
  { words: ['--retries', '--attempts', '--tries'], sending: 'write --retry {2}' },
  { words: ['--repeat', '--times'], sending: 'write -c {2}' },
  { words: ['-d', '--data', '--message', '--payload'], sending: 'a message is an argument: 127.0.0.1:8000 hello' },
  { words: ['--length', '--data-length', '--bytes'], sending: 'write --size {1400}' },
  { words: ['--input', '--data-file'], sending: 'write --file {PATH}' },
  { words: ['--pps', '--bandwidth'], sending: 'write --rate {1000/s}' },
  everywhere(['-I', '--rcvbuf'], 'write --recv-buffer {4Mi}'),
  everywhere(['-O', '--sndbuf'], 'write --send-buffer {4Mi}'),
  everywhere(['-M', '--hops', '--hop-limit'], 'write --ttl {64}'),
  everywhere(['-T', '--tos'], 'write --dscp N: the upper six bits of that byte, 0 to 63'),
  everywhere(['--iface', '--device', '--dev'], 'write --bind-device {eth0}, or --interface {eth0} for multicast'),
  everywhere(['--group', '--multicast', '--mcast'], 'write --join {239.1.2.3}'),
  everywhere(['--sh-exec', '--command', '--run'], RUN_PROGRAM),
  everywhere(['-N', '-r', '--nodns', '--recv-only', '--send-only'], 'udpcat needs no such option; leave it out'),
  everywhere(['-D', '--debug'], 'write -v'),
  everywhere(['-Q', '--silent'], 'write --quiet'),
  everywhere(['-S', '-U', '--ssl', '--dtls', '--unixsock', '--proxy'], 'udpcat has only plain UDP'),
  everywhere(['--pcap', '--capture', '--save'], 'write --record {FILE.pcap}'),
];

/** Words for a command that udpcat does not have, and the command line instead. */
export const FOREIGN_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'udpcat serve 8000': ['listen', 'server', 'recv', 'receive', 'bind', 'daemon', 'dump', 'capture', 'record', 'reply'],
  'udpcat send 127.0.0.1:8000 hello': ['client', 'connect', 'write', 'query', 'request', 'ask', 'chat', 'nc', 'netcat'],
  'udpcat send 127.0.0.1:8000 hello -w 1s': ['check', 'test', 'ping', 'scan', 'expect'],
  'udpcat send 127.0.0.1 --probe dns:a.example': ['probe', 'dns', 'ntp'],
  'udpcat send 127.0.0.1:8000 --replay FILE.pcap': ['replay', 'play'],
  'udpcat echo 8000': ['reflect', 'mirror'],
  'udpcat --version': ['version'],
};

/** Options that udpcat and other tools have with different meanings. */
const OTHER_MEANINGS: readonly {
  readonly option: string;
  /** The values that show the other meaning. */
  readonly value: RegExp;
  /** The remedy. It follows the error about the value. */
  readonly remedy: string;
}[] = [
  { option: '-e, --encoding', value: /[\s/]|^(ba|da)?sh$|^cat$/, remedy: `In udpcat ${RUN_PROGRAM}.` },
  { option: '-c, --count', value: /^[a-z/.]/, remedy: `In udpcat ${RUN_PROGRAM}.` },
  { option: '-o, --output', value: /[./]/, remedy: 'To write to a file, add > FILE, or --record FILE.pcap.' },
];

/** Returns the error in the words of udpcat, with the remedy. Undefined: there is no remedy for it. */
export async function rewordError(
  { code, message }: CommanderError,
  args: readonly string[],
  program: () => Promise<Command>,
): Promise<string | undefined> {
  const [, word = ''] = /'(.*?)'/s.exec(message) ?? [];
  switch (code) {
    case 'commander.invalidArgument': {
      const [, value = ''] = /argument '(.*?)' is invalid/s.exec(message) ?? [];
      const meaning = OTHER_MEANINGS.find((row) => word.startsWith(row.option) && row.value.test(value));
      return meaning && `${message} ${meaning.remedy}`;
    }
    case 'commander.unknownCommand': {
      const remedy = remedyForCommand(word, args[args.indexOf(word) + 1]);
      return remedy && `unknown command '${word}': ${remedy}`;
    }
    case 'commander.unknownOption': {
      const isGuessed = message.includes('Did you mean');
      const remedy =
        remedyForOption(word, args) ??
        remedyForOwn(word, args, await program()) ??
        (isGuessed ? undefined : remedyForMessage(word, args));
      return remedy && `unknown option '${word}': ${remedy}`;
    }
    default:
      return undefined;
  }
}

/**
 * Returns the remedy for a word that stands in place of a command. Undefined: there is none.
 *
 * @param next the word after it. If it is a port, and the word is a host, the remedy has both.
 */
export function remedyForCommand(word: string, next?: string): string | undefined {
  for (const [line, words] of Object.entries(FOREIGN_COMMANDS)) {
    if (words.includes(word)) return `write ${line}`;
  }
  const address = addressIn(word, next);
  return address && `a command comes first: udpcat send ${address} hello, or udpcat serve ${address}`;
}

/** Returns the address that the user wrote in place of a command. Undefined: the word is no address. */
function addressIn(word: string, next = ''): string | undefined {
  if (!/[.:]|^\d+$/.test(word)) return undefined;
  const port = /^\d{1,5}$/.test(next) ? next : '8000';
  for (const text of [word, `${word}:${port}`, `[${word}]:${port}`]) {
    try {
      parseAddress(text);
      return text;
    } catch {
      // The next text has a port.
    }
  }
  return undefined;
}

/** Returns the remedy for an option of another tool. Also understands `--timeout=5`, `-p8000` and several letters: `-lu`. */
function remedyForOption(word: string, args: readonly string[]): string | undefined {
  const [, name = '', glued] = /^(--[^=]+|-[a-zA-Z]+)=?(.+)?$/s.exec(word) ?? [];
  const value = glued ?? args.slice(args.indexOf(word) + 1).find((next) => !next.startsWith('-'));
  if (name.startsWith('--') || name.length === 2) return fromHabit(name, args, value);
  const letters = Array.from(name.slice(1).replaceAll('v', ''), (letter) => `-${letter}`);
  const remedies = letters.map((letter) => fromHabit(letter, args, value));
  if (letters.length === 0 || remedies.includes(undefined)) return undefined;
  return letters.map((letter, index) => `${letter}: ${remedies[index] ?? ''}`).join('; ');
}

function fromHabit(name: string, args: readonly string[], value: string | undefined): string | undefined {
  const isSend = args[0] === 'send';
  for (const { words, serving, sending } of FOREIGN_OPTIONS) {
    const remedy = isSend ? sending : serving;
    if (remedy === undefined || !words.includes(name)) continue;
    const filled = remedy.replace(/\{(.*?)\}/g, (_, example: string) => value ?? example);
    return hasCommand(args) || filled.includes('udpcat serve') ? filled : `${filled}; ${FIRST_COMMANDS}`;
  }
  return undefined;
}

const FIRST_COMMANDS = 'begin with a command: udpcat send 127.0.0.1:8000 hello, or udpcat serve 8000';

function hasCommand([first = '']: readonly string[]): boolean {
  return (COMMAND_NAMES as readonly string[]).includes(first);
}

/** Returns the remedy for an option that udpcat has, but not there. Undefined: udpcat has no such option. */
function remedyForOwn(word: string, args: readonly string[], program: Command): string | undefined {
  const name = word.replace(/=.*/s, '');
  const owners = program.commands
    .filter(({ options }) => options.some(({ short, long }) => short === name || long === name))
    .map((command) => command.name());
  const [first] = owners;
  if (first === undefined) return undefined;
  return hasCommand(args)
    ? `it is an option of ${owners.join(', ')}`
    : `it follows the command: udpcat ${first} ${name}`;
}

/** Returns the remedy for a message of `send` that begins with `-`. */
function remedyForMessage(word: string, args: readonly string[]): string | undefined {
  if (args[0] !== 'send' || (args.indexOf(word) < 2 && !/^-\.?\d/.test(word))) return undefined;
  return `a message that begins with - stands behind --: udpcat send ADDRESS -- ${word}`;
}
