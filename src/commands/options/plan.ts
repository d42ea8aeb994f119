import { isUtf8 } from 'node:buffer';
import type { Command } from 'commander';
import { checkFamily } from '../../net/address/address.js';
import { addressesOf, interfaceExists, noInterface } from '../../net/address/interfaces.js';
import {
  type Address,
  DatagramError,
  type DatagramSocketOptions,
  type Family,
  familyOf,
  type SocketOptions,
} from '../../net/index.js';
import { withInterfaceOf } from '../../net/address/group.js';
import { checkJoinable, checkMemberships } from '../../net/address/membership.js';
import { endpointOf } from '../../net/address/resolve.js';
import { refuseLoopbackSource } from '../../net/engines/own-address.js';
import { hasOption } from '../../net/socket-options.js';
import { decode, type Encoding, EncodingError } from '../../text/encoding.js';
import { FORMATS } from '../../output/formats/table.js';
import type { Io } from '../../run/context.js';
import { kernelOptions } from './kernel.js';
import type { SharedValues } from './shared.js';
import { familyOption } from './socket.js';
import type { OptionSpec } from '../../cli/options.js';
import { UsageError } from '../../cli/usage-error.js';

/** Reads an address of the command line. @throws {UsageError} */
export function readAddress(text: string, parse: (text: string) => Address, values: SharedValues): Address {
  return asUsage('', () => {
    const address = parse(text);
    checkFamily(address, familyOption(values));
    return address;
  });
}

/** Turns an error that the datagram module finds in an argument into a usage error. */
function asUsage<Value>(option: string, check: () => Value): Value {
  try {
    return check();
  } catch (error) {
    if (error instanceof DatagramError) throw new UsageError(`${option}${error.message}`);
    throw error;
  }
}

/** Reads the address to bind. @throws {UsageError} also for the name of an interface */
export function readLocalAddress(text: string, parse: (text: string) => Address, values: SharedValues): Address {
  const [, name = text, port = ''] = /^(.*):(\d+)$/s.exec(text) ?? [];
  // The usual start, on a port or an address, does not ask for the interfaces of the host.
  if (/^[a-z_]/i.test(name) && !name.includes(':') && interfaceExists(name)) {
    const [example] = addressesOf(name);
    const address = example === undefined ? '' : `one of its addresses, for example ${withPort(example, port)}, or `;
    throw new UsageError(`"${name}" is an interface; write ${address}an address and --bind-device ${name}`);
  }
  return readAddress(text, parse, values);
}

function withPort(address: string, port: string): string {
  if (port === '') return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Reads the value of `--bind`. @throws {UsageError} with the name of the option */
export function readBind(text: string, parse: (text: string) => Address, values: SharedValues): Address {
  try {
    return readLocalAddress(text, parse, values);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`option '-b, --bind': ${error.message}`);
    throw error;
  }
}

/**
 * Checks that a socket with this address can hear the groups of `--join`. A name is not checked, because it is resolved later.
 *
 * @param family of the socket. Undefined: both, if it is bound to every interface.
 * @throws {UsageError}
 */
export function checkJoins(address: Address, family: Family | undefined, values: SharedValues): void {
  const local = endpointOf(address, family);
  if (local === undefined) return;
  const dualStack = address.host.kind === 'any' && family === undefined;
  asUsage("option '--join': ", () => {
    checkJoinable({ local, dualStack, options: joinOptions(values) });
  });
}

function joinOptions(values: SharedValues): Pick<SocketOptions, 'join' | 'multicastInterface'> {
  return { join: values.join, multicastInterface: values.interface };
}

/** Decodes an argument to a payload. @param what names the argument in the error @throws {UsageError} */
export function readPayload(text: string, encoding: Encoding, what: string, io: Io): Uint8Array {
  checkUtf8(text, what, io);
  try {
    return decode(Buffer.from(text, 'utf8'), encoding);
  } catch (error) {
    if (error instanceof EncodingError)
      throw new UsageError(`${what} ${JSON.stringify(text)} is not ${encoding}: ${error.message}`);
    throw error;
  }
}

const REPLACEMENT = '\u{fffd}';

/** Node replaces invalid UTF-8 in arguments. Such an argument is refused, because other bytes would be sent. @throws {UsageError} */
export function checkUtf8(text: string, what: string, io: Io): void {
  if (!text.includes(REPLACEMENT)) return;
  const written = io.argumentBytes()?.filter((argument) => Buffer.from(argument).toString('utf8').includes(text)) ?? [];
  if (written.length === 0 || !written.every((argument) => isUtf8(argument)))
    throw new UsageError(`${what} is not valid UTF-8: write such bytes with -e hex`);
}

/**
 * Returns the format of stdout. It is `none` if stdout has the recording or the line for `nagios`. With a probe it is `none`
 * unless the user gave a format.
 *
 * @throws {UsageError} if stdout should have two things
 */
export function planOutput(
  command: Command,
  { output, record, exitCode, probe }: OutputValues,
): SharedValues['output'] {
  const taken = [
    ...(record?.kind === 'stdout' ? ['--record -'] : []),
    ...(exitCode === 'nagios' ? ['--exit-code nagios'] : []),
  ];
  const isDefault = command.getOptionValueSource('output') === 'default';
  if (taken.length === 0) return probe !== undefined && isDefault ? 'none' : output;
  const asked = output !== 'none' && command.getOptionValueSource('output') === 'cli' ? [`-o ${output}`] : [];
  const [first, second] = [...asked, ...taken];
  if (second !== undefined) {
    throw new UsageError(`stdout is for one thing only: either ${first ?? ''} or ${second}`);
  }
  return 'none';
}

/** The options that {@link planOutput} reads. Only `send` has `exitCode` and `probe`. */
type OutputValues = Pick<SharedValues, 'output' | 'record'> & {
  readonly exitCode?: string;
  readonly probe?: string | undefined;
};

/** Finds contradictions of the options that all commands have. @throws {UsageError} */
export function checkShared(values: SharedValues, io: Io): void {
  checkRecord(values);
  if (values.record?.kind === 'stdout' && io.terminals.stdout && values.force !== true) {
    throw new UsageError("option '--record -' would write packets to a terminal: redirect it, or add --force");
  }
  if (FORMATS[values.output].isRaw === true && io.terminals.stdout && values.force !== true) {
    throw new UsageError("option '-o raw' would write raw bytes to a terminal: redirect it, or add --force");
  }
  if (values.interface !== undefined && !interfaceExists(values.interface)) {
    throw new UsageError(`option '--interface': ${noInterface(values.interface)}`);
  }
  if (values.bindDevice !== undefined && !interfaceExists(values.bindDevice)) {
    throw new UsageError(`option '--bind-device': ${noInterface(values.bindDevice)}`);
  }
  asUsage("option '--join': ", () => {
    checkMemberships(joinOptions(values));
  });
  const foreign = values.engine === 'node' ? foreignFlag(values) : undefined;
  if (foreign !== undefined) {
    throw new UsageError(`option '${foreign}' is one of the linux engine: leave out --engine node`);
  }
}

/** Checks that options about a recording come with `--record FILE`. @throws {UsageError} */
function checkRecord({ record, recordReplace, rotateSize, rotateTime, keep }: SharedValues): void {
  const [rotation] = [
    ...(rotateSize === undefined ? [] : ['--rotate-size']),
    ...(rotateTime === undefined ? [] : ['--rotate-time']),
  ];
  const [about] = [
    ...(rotation === undefined ? [] : [rotation]),
    ...(keep === undefined ? [] : ['--keep']),
    ...(recordReplace === undefined ? [] : ['--record-replace']),
  ];
  if (about === undefined) return;
  if (record === undefined) throw new UsageError(`option '${about}' is about a recording: add --record FILE`);
  if (record.kind === 'stdout') throw new UsageError(`option '${about}' needs a file: --record - writes to stdout`);
  if (keep !== undefined && rotation === undefined) {
    throw new UsageError("option '--keep' is about a row of files: add --rotate-size or --rotate-time");
  }
  if (recordReplace !== undefined && rotation !== undefined) {
    throw new UsageError(`option '--record-replace' is about one file: leave it out, or ${rotation}`);
  }
}

/** The flag of a given option that only the linux engine has. Undefined: there is none. */
function foreignFlag(values: SharedValues): string | undefined {
  for (const [name, spec] of Object.entries<OptionSpec<unknown>>(kernelOptions())) {
    if (values[name as keyof SharedValues] !== undefined && !hasOption('node', name)) return spec.options[0]?.long;
  }
  return undefined;
}

/** Makes the options of the socket. @param pays whether there is so much traffic that the linux engine is worth loading */
export function socketOptions(values: SharedValues, { pays }: { readonly pays: boolean }): DatagramSocketOptions {
  return {
    engine: values.engine === 'auto' && !pays && foreignFlag(values) === undefined ? 'node' : values.engine,
    dscp: values.dscp,
    dontFragment: values.dontFragment,
    bindDevice: values.bindDevice,
    reuseAddress: values.reuseAddress,
    reusePort: values.reusePort,
    exactDrops: values.exactDrops,
    maxReadQueue: values.queueSize,
    overflow: values.overflow,
    family: familyOption(values),
    recvBufferBytes: values.recvBuffer,
    sendBufferBytes: values.sendBuffer,
    ttl: values.ttl,
    broadcast: values.broadcast === true,
    ...joinOptions(values),
  };
}

/** Checks that source and destination have one family, and that the source is no loopback address if the destination is foreign. @throws {UsageError} */
export function checkSource(source: Address, destination: Address, values: SharedValues): void {
  if (source.host.kind !== 'literal') return;
  const { address: from } = source.host;
  const to = literalOf(destination, values);
  if (to === undefined) return;
  if (familyOf(from) !== familyOf(to)) {
    throw new UsageError(`option '-b, --bind': ${from} is not of the family of ${to}`);
  }
  const remote = { address: to, port: destination.port };
  asUsage("option '-b, --bind': ", () => {
    refuseLoopbackSource({ address: from, port: source.port }, remote, withInterfaceOf(remote, joinOptions(values)));
  });
}

function literalOf({ host }: Address, values: SharedValues): string | undefined {
  if (host.kind === 'literal') return host.address;
  if (host.kind !== 'loopback') return undefined;
  return familyOption(values) === 6 ? '::1' : '127.0.0.1';
}
