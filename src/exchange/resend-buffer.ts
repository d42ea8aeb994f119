/** The limits of the buffer. One chunk of a pipe on stdin fits into it. */
const MAX_MESSAGES = 64 * 1024;
const MAX_BYTES = 1024 * 1024;
/** An address that has not refused a message within this time has accepted it: then no message is sent again. */
const MAX_MS = 2000;

/** A message, and the name of its sender if it has one. */
export interface Kept {
  readonly payload: Uint8Array;
  readonly sender: string | undefined;
}

/** Successive messages of the same sender. */
export interface KeptRow {
  readonly sender: string | undefined;
  readonly payloads: readonly Uint8Array[];
}

/** Keeps copies of sent messages, so that they can be sent again to the next address of a name. */
export class ResendBuffer {
  #kept: Kept[] = [];
  #bytes = 0;
  /** When the first message was kept, by `performance.now()`. */
  #sinceMs: number | undefined;

  /**
   * Keeps copies of messages. Returns false if they are too many, or if the first message is older than 2 s: then the messages
   * cannot be sent again.
   */
  keep(payloads: readonly Uint8Array[], sender: string | undefined): boolean {
    const nowMs = performance.now();
    this.#sinceMs ??= nowMs;
    this.#bytes += payloads.reduce((sum, { length }) => sum + length, 0);
    const isOld = nowMs - this.#sinceMs > MAX_MS;
    if (isOld || this.#kept.length + payloads.length > MAX_MESSAGES || this.#bytes > MAX_BYTES) return false;
    // Copies, because the caller may write the next message into the same memory.
    for (const payload of payloads) this.#kept.push({ payload: new Uint8Array(payload), sender });
    return true;
  }

  /** Replaces all kept messages. The new ones have no sender. */
  replace(payloads: readonly Uint8Array[]): void {
    this.#kept = payloads.map((payload) => ({ payload, sender: undefined }));
  }

  /** All messages in order. Successive messages of the same sender form one row. */
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
