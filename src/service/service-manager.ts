import { describeSystemError, systemCode } from '../net/errors.js';
import { DatagramError, type EngineChoice } from '../net/index.js';
import { Alarm } from '../timing/alarm.js';
import type { Context } from '../run/context.js';

/**
 * Gives a message such as `READY=1` to the service manager (sd_notify(3)). Resolves to the reason, in words, why it could
 * not; undefined if it could.
 */
type Notify = (message: string, signal: AbortSignal) => Promise<string | undefined>;

/** By system calls of the linux engine, as Node has no Unix datagram sockets. It is this process that speaks. */
function notifyBySystemCall(socket: string): Notify {
  return async (message) => {
    try {
      const { sendToUnixSocket } = await import('../net/engines/linux/linux-engine.js');
      await sendToUnixSocket(socket, Buffer.from(message));
      return undefined;
    } catch (error) {
      return error instanceof DatagramError ? error.message : `${socket}: ${describeSystemError(error)}`;
    }
  };
}

/**
 * By the program `systemd-notify`. The manager takes the message for one of this process where the program may say so (as
 * root), otherwise only with `NotifyAccess=all` (systemd-notify(1)).
 */
function notifyByProgram({ env }: Context): Notify {
  return async (message, signal) => {
    const [{ execFile }, { promisify }] = await Promise.all([import('node:child_process'), import('node:util')]);
    try {
      await promisify(execFile)('systemd-notify', [message], { env, signal, killSignal: 'SIGKILL' });
      return undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return 'systemd-notify is not installed; without it, Type=exec fits the unit';
      const { stderr } = error as { readonly stderr?: unknown };
      const [said = ''] = String(stderr ?? error)
        .trim()
        .split('\n', 1);
      return `systemd-notify: ${said}`;
    }
  };
}

/**
 * How long a service that stops waits for each message to be taken, in milliseconds. systemd-notify waits until the
 * manager has read it, as that could not tell whose it was otherwise; managers that never say so are not waited for.
 */
const PATIENCE_MS = 500;

/** Tells the service manager how the service is, in the order of the calls; nobody waits for it before the end. */
export class ServiceManager {
  readonly #context: Context;
  /** Ways to tell it that have not failed; none where nobody wants to be told. */
  #ways: readonly Notify[] = [];
  /** Of the message under way. */
  #giveUp = new AbortController();
  readonly #patience = new Alarm(() => {
    this.#giveUp.abort();
  });
  #told: Promise<void> = Promise.resolve();
  #isStopping = false;

  /** @param engine the engine asked for; with `node` no system calls are loaded */
  constructor(context: Context, engine: EngineChoice | undefined) {
    this.#context = context;
    const { NOTIFY_SOCKET: socket = '' } = context.env;
    if (socket === '') return;
    this.#ways = [...(engine === 'node' ? [] : [notifyBySystemCall(socket)]), notifyByProgram(context)];
  }

  /** The service takes datagrams. */
  ready(): void {
    this.#tell('READY=1');
  }

  /** The service takes no more. Twice is fine. */
  stopping(): void {
    if (this.#isStopping || this.#ways.length === 0) return;
    this.#isStopping = true;
    this.#patience.set(PATIENCE_MS);
    this.#tell('STOPPING=1');
  }

  #tell(message: string): void {
    this.#told = this.#told.then(async () => {
      if (this.#isStopping) this.#patience.set(PATIENCE_MS);
      const { signal } = (this.#giveUp = new AbortController());
      const reasons: string[] = [];
      for (let [notify] = this.#ways; notify !== undefined; [notify] = this.#ways) {
        const reason = await notify(message, signal);
        if (reason === undefined || signal.aborted) return;
        reasons.push(reason);
        this.#ways = this.#ways.slice(1);
      }
      if (reasons.length > 0)
        this.#context.log.warn(`cannot tell the service manager ${message}: ${reasons.join('; ')}`);
    });
  }

  /** Settles when the manager was told everything, or is waited for no longer, as at a second signal. */
  async told(): Promise<void> {
    const { force } = this.#context;
    const giveUp = (): void => {
      this.#ways = [];
      this.#giveUp.abort();
    };
    if (force.aborted) giveUp();
    force.addEventListener('abort', giveUp);
    await this.#told;
    force.removeEventListener('abort', giveUp);
    this.#patience.stop();
  }
}
