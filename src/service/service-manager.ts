import { describeSystemError, systemCode } from '../net/errors.js';
import { DatagramError, type EngineChoice } from '../net/index.js';
import { Alarm } from '../timing/alarm.js';
import type { Context } from '../run/context.js';

/**
 * Sends a message to the service manager, for example `READY=1` (sd_notify(3)). Resolves to undefined on success, otherwise to
 * the reason of the failure in words.
 */
type Notify = (message: string, signal: AbortSignal) => Promise<string | undefined>;

/**
 * Notifies by system calls of the linux engine, because Node has no Unix datagram sockets. The manager sees this process as
 * the sender.
 */
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
 * Notifies by the program `systemd-notify`. Run as root, it can name this process as the sender. Otherwise the manager accepts
 * the message only with `NotifyAccess=all` (systemd-notify(1)).
 */
function notifyByProgram({ env }: Context): Notify {
  return async (message, signal) => {
    const [{ execFile }, { promisify }] = await Promise.all([import('node:child_process'), import('node:util')]);
    try {
      await promisify(execFile)('systemd-notify', [message], { env, signal, killSignal: 'SIGKILL' });
      return undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT')
        return 'systemd-notify is not installed; without it, use Type=exec in the unit';
      const { stderr } = error as { readonly stderr?: unknown };
      const [said = ''] = String(stderr ?? error)
        .trim()
        .split('\n', 1);
      return `systemd-notify: ${said}`;
    }
  };
}

/**
 * How long a stopping service waits for each message. `systemd-notify` itself waits until the manager has read the message,
 * because the manager cannot find out the sender after it has exited. Some managers never confirm a message.
 */
const PATIENCE_MS = 500;

/** Tells the service manager the state of the service, in the order of the calls. Only {@link told} waits for it. */
export class ServiceManager {
  readonly #context: Context;
  /** The ways to notify that have not failed. Empty without `NOTIFY_SOCKET`: then no manager wants to be told. */
  #ways: readonly Notify[] = [];
  /** Aborts the message under way. */
  #giveUp = new AbortController();
  readonly #patience = new Alarm(() => {
    this.#giveUp.abort();
  });
  #told: Promise<void> = Promise.resolve();
  #isStopping = false;

  /** @param engine the engine of the plan. With `node`, the code of the linux engine is not loaded. */
  constructor(context: Context, engine: EngineChoice | undefined) {
    this.#context = context;
    const { NOTIFY_SOCKET: socket = '' } = context.env;
    if (socket === '') return;
    this.#ways = [...(engine === 'node' ? [] : [notifyBySystemCall(socket)]), notifyByProgram(context)];
  }

  /** The service is ready: it receives datagrams. */
  ready(): void {
    this.#tell('READY=1');
  }

  /** The service is stopping: it receives no more. Further calls do nothing. */
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

  /** Settles when all messages were sent or given up. A second signal gives them up. */
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
