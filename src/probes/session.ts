import type { Finding } from '../check/finding.js';
import { ArgumentError, readArguments } from './arguments.js';
import { MalformedReply, mismatch, type Probe, type ProbeRun, type Scene } from './probe.js';
import { PROBES } from './table.js';

/** A probe with its arguments, for one run. */
export class ProbeSession {
  readonly name: string;
  readonly repliesFrom: Probe['repliesFrom'];
  /** The usual port of the service. */
  readonly port: number;
  readonly #probe: Probe;
  readonly #values: Parameters<Probe['start']>[0];
  #run: ProbeRun | undefined;

  private constructor(name: string, probe: Probe, values: Parameters<Probe['start']>[0]) {
    this.name = name;
    this.repliesFrom = probe.repliesFrom;
    this.port = probe.port;
    this.#probe = probe;
    this.#values = values;
  }

  /**
   * Reads `name` or `name:arguments`.
   *
   * @param env The environment, for secrets given as `env:NAME`.
   * @throws {ArgumentError} if there is no such probe, or it does not accept the arguments
   */
  static async read(text: string, env: Readonly<Record<string, string | undefined>>): Promise<ProbeSession> {
    const [name, written] = splitName(text);
    const probe = await findProbe(name);
    try {
      const values = readArguments(probe.arguments, written, env);
      probe.check?.(values);
      return new ProbeSession(name, probe, values);
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      throw new ArgumentError(`probe ${name}: ${error.message}; --probe help:${name} tells more`);
    }
  }

  /** The same probe with the same arguments, for one more run. */
  again(): ProbeSession {
    return new ProbeSession(this.name, this.#probe, this.#values);
  }

  /** Makes the request, with a new random id if the protocol has one. */
  async start(scene: Scene): Promise<Uint8Array> {
    this.#run = await this.#probe.start(this.#values, scene);
    return this.#run.request;
  }

  /**
   * Judges the payload of a datagram, which may be any bytes. The words of the finding begin with the name of the
   * probe.
   */
  readonly judge = (data: Uint8Array): Finding => {
    const finding = this.#judge(data);
    return { ...finding, says: `${this.name}: ${finding.says ?? ''}` };
  };

  #judge(data: Uint8Array): Finding {
    // A connected socket can receive a datagram of its peer before the request is sent.
    if (this.#run === undefined) return mismatch('it came before the request');
    try {
      return this.#run.judge?.(data) ?? mismatch('no reply was expected');
    } catch (error) {
      if (error instanceof MalformedReply) return mismatch(`the reply is no message of the protocol: ${error.message}`);
      throw error;
    }
  }
}

/** Splits `name:arguments` at the first colon. */
export function splitName(text: string): readonly [name: string, written: string] {
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** Loads a probe by its name. @throws {ArgumentError} if there is no such probe */
export async function findProbe(name: string): Promise<Probe> {
  const load = Object.hasOwn(PROBES, name) ? PROBES[name] : undefined;
  if (load === undefined) {
    throw new ArgumentError(`there is no probe "${name}", only ${Object.keys(PROBES).join(', ')}`);
  }
  return load();
}
