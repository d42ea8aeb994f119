import { type Command, Option } from 'commander';
import { ENCODINGS } from '../../text/encoding.js';
import { type FormatName, FORMAT_NAMES } from '../../output/formats.js';
import { LOG_FORMATS, LOG_LEVELS } from '../../output/log.js';
import { ENGINES, type Family } from '../../net/index.js';
import {
  type Completes,
  oneOf,
  parseBufferSize,
  parseCount,
  parseDscp,
  parseDuration,
  parseInterfaceName,
  parseJoin,
  parseRecordTarget,
  type Parser,
  parseFileSize,
  parseText,
  parseTtl,
} from './values.js';

/** An option as commander has it, and what a shell can offer for its value. */
export class DeclaredOption extends Option {
  completes: Completes | undefined;
}

/** One option of a command, declared once: how it is written, what it means, how it is read, and the type of its value. */
export interface OptionSpec<Value> {
  /** For commander: one, or a flag and its negation. */
  readonly options: readonly Option[];
  readonly repeatable: boolean;
  /** Only in the type: what {@link ValuesOf} reads. */
  readonly value?: Value;
}

/** The options of a command by name. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** The values that a table of options stands for. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionSpec<infer Value> ? Value : never;
};

/** An option with a value. */
export function option<Value>(flags: string, help: string, parse: Parser<Value>): OptionSpec<Value | undefined>;
export function option<Value>(
  flags: string,
  help: string,
  parse: Parser<Value>,
  byDefault: NoInfer<Value>,
): OptionSpec<Value>;
export function option<Value>(
  flags: string,
  help: string,
  parse: Parser<Value>,
  byDefault?: Value,
): OptionSpec<Value | undefined> {
  const declared = new DeclaredOption(flags, help).argParser((text) => parse(text));
  declared.completes = parse.completes;
  if (byDefault !== undefined) {
    const shown = typeof byDefault === 'object' ? Object.values(byDefault as object).join(':') : String(byDefault);
    declared.default(byDefault, shown);
  }
  return { options: [declared], repeatable: false };
}

/** An option that may stand several times, each time with a value. */
export function repeatable<Value>(
  flags: string,
  help: string,
  parse: Parser<Value>,
): OptionSpec<readonly Value[] | undefined> {
  const declared = new DeclaredOption(flags, `${help} (repeatable)`);
  declared.completes = parse.completes;
  declared.argParser<readonly Value[] | undefined>((text, before) => [...(before ?? []), parse(text)]);
  return { options: [declared], repeatable: true };
}

/** An option without a value: it stands or it does not. */
export function flag(flags: string, help: string): OptionSpec<true | undefined> {
  return { options: [new Option(flags, help)], repeatable: true };
}

/** A flag that turns something off: true unless it stands. */
export function unlessFlag(flags: string, help: string): OptionSpec<boolean> {
  return { options: [new Option(flags, help)], repeatable: true };
}

/** A flag and its negation; undefined when neither stands. */
export function toggle(
  flags: string,
  negation: string,
  help: string,
  negationHelp: string,
): OptionSpec<boolean | undefined> {
  return { options: [new Option(flags, help), new Option(negation, negationHelp)], repeatable: true };
}

/**
 * Declares the options of a table on a command. An option that is given twice, and may not be, is a usage error.
 *
 * @throws {Error} where a key of the table is not commander's own name for the option
 */
export function addOptions(command: Command, table: OptionTable): void {
  for (const [name, spec] of Object.entries(table)) {
    for (const declared of spec.options) {
      if (declared.attributeName() !== name) throw new Error(`option ${declared.flags} is called ${name} in its table`);
      command.addOption(declared);
    }
    const [declared] = spec.options;
    if (declared === undefined || spec.repeatable) continue;
    let given = false;
    command.on(`option:${declared.name()}`, () => {
      if (given) command.error(`error: option '${declared.flags}' may stand only once`);
      given = true;
    });
  }
}

/** Puts the options of a table under a heading of their own in the help. */
export function grouped<Table extends OptionTable>(heading: string, table: Table): Table {
  for (const { options } of Object.values(table)) {
    for (const declared of options) declared.helpGroup(heading);
  }
  return table;
}

/** The options that `serve`, `send` and `echo` share. Made anew for each command, as their defaults differ. */
export function sharedOptions(defaults: { readonly output: FormatName; readonly count: string }) {
  return {
    ...grouped('Datagrams:', {
      output: option(
        '-o, --output <format>',
        `how datagrams are written to stdout: ${FORMAT_NAMES.join(', ')} (raw loses their boundaries)`,
        oneOf(FORMAT_NAMES),
        defaults.output,
      ),
      encoding: option(
        '-e, --encoding <enc>',
        `how payloads are written by you: ${ENCODINGS.join(', ')}`,
        oneOf(ENCODINGS),
        'utf8',
      ),
      hex: hexFlag(),
      meta: toggle(
        '-m, --meta',
        '--no-meta',
        'put time, addresses and size before each datagram in the text formats',
        'put nothing before them',
      ),
      force: flag('--force', 'write raw bytes to a terminal'),
      record: option(
        '--record <file>',
        'add every datagram received or sent to FILE.pcap or FILE.jsonl; - is pcap on stdout',
        parseRecordTarget,
      ),
      recordReplace: flag('--record-replace', 'replace what the file of --record holds, instead of continuing it'),
      rotateSize: option(
        '--rotate-size <size>',
        'record to a row of files, FILE.<UTC start>.pcap, each of at most that size, such as 64k, 100M or 2Gi',
        parseFileSize,
      ),
      rotateTime: option(
        '--rotate-time <d>',
        'record to a row of files, a new one after that long, such as 90s, 15m or 24h',
        parseDuration,
      ),
      keep: option('--keep <n>', 'remove all but the newest n files of the row, n from 1', parseCount),
    }),
    ...grouped('When to stop:', {
      count: option('-c, --count <n>', defaults.count, parseCount),
      duration: option('--duration <d>', 'stop after that long: 250ms, 2s, 3m, 1h', parseDuration),
      idle: option('--idle <d>', 'stop when nothing has arrived for that long', parseDuration),
    }),
    ...grouped('Socket:', {
      bind: option('-b, --bind <address>', 'local address', parseText),
      ipv4: conflicting(flag('-4, --ipv4', 'IPv4 only'), 'ipv6'),
      ipv6: flag('-6, --ipv6', 'IPv6 only'),
      queueSize: option('--queue-size <n>', 'datagrams held between socket and command', parseCount, 1024),
      overflow: option(
        '--overflow <policy>',
        'when the queue is full: drop-newest, drop-oldest, fail (status 7)',
        oneOf(['drop-newest', 'drop-oldest', 'fail']),
        'drop-newest',
      ),
      failOnDrop: flag(
        '--fail-on-drop',
        'status 7 instead of 0 when datagrams were dropped by the kernel, the queue or the output',
      ),
      recvBuffer: option('--recv-buffer <size>', 'kernel receive buffer, such as 4Mi', parseBufferSize),
      sendBuffer: option('--send-buffer <size>', 'kernel send buffer', parseBufferSize),
      ttl: option('--ttl <n>', 'hop limit of what is sent, 1 to 255', parseTtl),
      broadcast: flag('--broadcast', 'allow sending to broadcast addresses'),
      join: repeatable(
        '--join <group[%iface]>',
        'hear a multicast group, SOURCE@GROUP for what one source sends there',
        parseJoin,
      ),
      interface: option(
        '--interface <name>',
        'interface of outgoing multicast and broadcast, and of --join',
        parseInterfaceName,
      ),
    }),
    ...grouped('Kernel:', {
      engine: option(
        '--engine <engine>',
        'what talks to the kernel: node, linux, or auto, which is linux where it can run and pays',
        oneOf(ENGINES),
        'auto',
      ),
      dscp: option('--dscp <n>', 'mark what is sent for its class of service, 0 to 63 (linux engine)', parseDscp),
      dontFragment: flag('--dont-fragment', 'fragment nothing that is sent, here or on its way (linux engine)'),
      bindDevice: option(
        '--bind-device <name>',
        'use this interface only, in both directions (linux engine)',
        parseInterfaceName,
      ),
      reusePort: flag('--reuse-port', 'share the address with other sockets that ask for it too (linux engine)'),
      exactDrops: flag('--exact-drops', 'count each datagram that the kernel drops, and receive more slowly'),
    }),
    ...grouped('On stderr:', {
      stats: toggle(
        '--stats',
        '--no-stats',
        'summary on stderr at the end (default: at a terminal); serve, echo: a live line too',
        'no summary',
      ),
      logLevel: option('--log-level <level>', `what is said on stderr: ${LOG_LEVELS.join(', ')}`, oneOf(LOG_LEVELS)),
      logFormat: option('--log-format <format>', `and how: ${LOG_FORMATS.join(', ')}`, oneOf(LOG_FORMATS), 'pretty'),
      verbose: conflicting(flag('-v, --verbose', 'the same as --log-level debug'), 'quiet', 'logLevel'),
      quiet: conflicting(flag('--quiet', 'only errors and the listening line'), 'logLevel'),
      color: toggle('--color', '--no-color', 'colour, even where there is no terminal', 'no colour'),
    }),
  };
}

function hexFlag(): OptionSpec<true | undefined> {
  const spec = flag('-x, --hex', 'hex both ways: -e hex -o hex');
  for (const declared of spec.options) declared.implies({ encoding: 'hex', output: 'hex' });
  return spec;
}

function conflicting<Value>(spec: OptionSpec<Value>, ...others: string[]): OptionSpec<Value> {
  for (const declared of spec.options) declared.conflicts(others);
  return spec;
}

/** What every command was asked for, parsed. */
export type SharedValues = ValuesOf<ReturnType<typeof sharedOptions>>;

/** The family that `-4` or `-6` restricts the addresses to. */
export function familyOption({ ipv4, ipv6 }: Pick<SharedValues, 'ipv4' | 'ipv6'>): Family | undefined {
  if (ipv4 === true) return 4;
  return ipv6 === true ? 6 : undefined;
}
