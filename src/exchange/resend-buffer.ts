/** The most messages, and bytes of messages, that are kept: a chunk of stdin fits. */
const MAX_MESSAGES = 64 * 1024;
const MAX_BYTES = 1024 * 1024;
/** An address that has not refused a message for so long has taken it: the message is not sent again. */
const MAX_MS = 2000;

/** A message, and the sender that it names, if it names one. */
export interface Kept {
  readonly payload: Uint8Array;
  readonly sender: string | undefined;
}

/** Messages of one sender that follow each other. */
export interface KeptRow {
  readonly sender: string | undefined;
  readonly payloads: readonly Uint8Array[];
}

/** Keeps copies of what was sent, so that it can be sent again to the next address of a name. */
export class ResendBuffer {
  #kept: Kept[] = [];
  #bytes = 0;
  /** When the first message was kept. */
  #sinceMs: number | undefined;

  /** Keeps copies of messages. Returns false if they are too many, or older ones too old: then nothing can be sent again. */
  keep(payloads: readonly Uint8Array[], sender: string | undefined): boolean {
    const nowMs = performance.now();
    this.#sinceMs ??= nowMs;
    this.#bytes += payloads.reduce((sum, { length }) => sum + length, 0);
    const isOld = nowMs - this.#sinceMs > MAX_MS;
    if (isOld || this.#kept.length + payloads.length > MAX_MESSAGES || this.#bytes > MAX_BYTES) return false;
    // The caller may write its next message into the same memory.
    for (const payload of payloads) this.#kept.push({ payload: new Uint8Array(payload), sender });
    return true;
  }

  /** Puts messages that were written anew in place of those that were kept. */
  replace(payloads: readonly Uint8Array[]): void {
    this.#kept = payloads.map((payload) => ({ payload, sender: undefined }));
  }

  /** All messages in their order; those in a row of one sender together. */
  rows(): readonly KeptRow[] {
    const rows: { readonly sender: string | undefined; readonly payloads: Uint8Array[] }[] = [];
    for (const { sender, payload } of this.#kept) {
      const last = rows.at(-1);
      if (last !== undefined && last.sender === sender) last.payloads.push(payload);
      else rows.push({ sender, payloads: [payload] });
    }
    return rows;
  }
}
