import type { Finding } from '../check/finding.js';
import { ArgumentError, readArguments } from './arguments.js';
import { MalformedReply, mismatch, type Probe, type ProbeRun, type Scene } from './probe.js';
import { PROBES } from './table.js';

/** A probe with its arguments, ready to be run once. */
export class ProbeSession {
  readonly name: string;
  readonly repliesFrom: Probe['repliesFrom'];
  readonly #start: (scene: Scene) => ProbeRun | Promise<ProbeRun>;
  #run: ProbeRun | undefined;

  private constructor(name: string, probe: Probe, values: Parameters<Probe['start']>[0]) {
    this.name = name;
    this.repliesFrom = probe.repliesFrom;
    this.#start = (scene) => probe.start(values, scene);
  }

  /**
   * Reads `name` or `name:arguments`.
   *
   * @throws {ArgumentError} for a name that no probe has, and for arguments that it cannot use
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

  /** Writes the request, with whatever makes it unlike any other. */
  async start(scene: Scene): Promise<Uint8Array> {
    this.#run = await this.#start(scene);
    return this.#run.request;
  }

  /** What a datagram says, whatever its bytes; the finding begins with the name of the probe. */
  readonly judge = (data: Uint8Array): Finding => {
    const finding = this.#judge(data);
    return { ...finding, says: `${this.name}: ${finding.says ?? ''}` };
  };

  #judge(data: Uint8Array): Finding {
    // A connected socket hears its peer before anything was asked.
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

/** The probe of that name. @throws {ArgumentError} */
export async function findProbe(name: string): Promise<Probe> {
  const load = Object.hasOwn(PROBES, name) ? PROBES[name] : undefined;
  if (load === undefined) {
    throw new ArgumentError(`there is no probe "${name}", only ${Object.keys(PROBES).join(', ')}`);
  }
  return load();
}
