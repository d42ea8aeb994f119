import { systemCode } from '../net/errors.js';
import { Alarm } from '../timing/alarm.js';
import type { Context } from './context.js';

/** Gives a message such as `READY=1` to the service manager (sd_notify(3)); rejects where it cannot, or is given up. */
export type Notify = (message: string, signal: AbortSignal) => Promise<void>;

/**
 * By the program `systemd-notify`, as Node has no Unix datagram sockets. The manager takes the message for one of this
 * process where the program may say so (as root), otherwise only with `NotifyAccess=all` (systemd-notify(1)).
 */
function notifyByProgram({ env }: Context): Notify {
  return async (message, signal) => {
    const [{ execFile }, { promisify }] = await Promise.all([import('node:child_process'), import('node:util')]);
    await promisify(execFile)('systemd-notify', [message], { env, signal, killSignal: 'SIGKILL' });
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
  /** Undefined where nobody wants to be told, or cannot be. */
  #notify: Notify | undefined;
  /** Of the message under way. */
  #giveUp = new AbortController();
  readonly #patience = new Alarm(() => {
    this.#giveUp.abort();
  });
  #told: Promise<void> = Promise.resolve();
  #isStopping = false;

  constructor(context: Context) {
    this.#context = context;
    if ((context.env.NOTIFY_SOCKET ?? '') !== '') this.#notify = notifyByProgram(context);
  }

  /** The service takes datagrams. */
  ready(): void {
    this.#tell('READY=1');
  }

  /** The service takes no more. Twice is fine. */
  stopping(): void {
    if (this.#isStopping || this.#notify === undefined) return;
    this.#isStopping = true;
    this.#patience.set(PATIENCE_MS);
    this.#tell('STOPPING=1');
  }

  #tell(message: string): void {
    this.#told = this.#told.then(async () => {
      if (this.#isStopping) this.#patience.set(PATIENCE_MS);
      const { signal } = (this.#giveUp = new AbortController());
      try {
        await this.#notify?.(message, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#notify = undefined;
        this.#context.log.warn(`cannot tell the service manager ${message}: ${why(error)}`);
      }
    });
  }

  /** Settles when the manager was told everything, or is waited for no longer, as at a second signal. */
  async told(): Promise<void> {
    const { force } = this.#context;
    const giveUp = (): void => {
      this.#notify = undefined;
      this.#giveUp.abort();
    };
    if (force.aborted) giveUp();
    force.addEventListener('abort', giveUp);
    await this.#told;
    force.removeEventListener('abort', giveUp);
    this.#patience.stop();
  }
}

function why(error: unknown): string {
  if (systemCode(error) === 'ENOENT') return 'systemd-notify is not installed; without it, Type=exec fits the unit';
  const { stderr } = error as { readonly stderr?: unknown };
  const [said = ''] = String(stderr ?? error)
    .trim()
    .split('\n', 1);
  return `systemd-notify: ${said}`;
}
