import type { ExpectedReplies } from '../../check/expected-replies.js';
import { type Replayed, ReplaySelection } from '../../record/replay.js';
import { SkipTally } from '../../record/skip-tally.js';
import { LocalFailure } from '../../text/failure.js';
import type { NotSent } from '../../stats/totals.js';
import { formatCount } from '../../text/quantity.js';
import type { ReplayPlan } from '../plan.js';
import { describeHeld, type LeftOut, listNotSent, tellJoined, tellNotSent } from './replay-report.js';
import type { Notes } from './source.js';

/** With `--senders each`, the most senders. Each has a socket. */
const MAX_SENDERS = 1024;
/** Otherwise senders are only counted, up to this number. */
const MAX_COUNTED_SENDERS = 64 * 1024;

/** Keeps account of a replay for the user: the content that was not sent, and the datagrams that were sent in another way. */
export class ReplayAccount {
  readonly #name: string;
  readonly #plan: ReplayPlan;
  readonly #expected: ExpectedReplies | undefined;
  /** The selection of the first pass. Only the first pass counts, because later passes read the same recording. */
  #selection: ReplaySelection | undefined;
  readonly #tally = new SkipTally();
  readonly #senders = new Set<string>();
  /** Datagrams without a time in the recording. */
  #untimed = 0;
  /** Large datagrams, each of which the capture may have joined from several. */
  readonly #joined = { count: 0, largestBytes: 0 };

  /** @param name the name of the recording in messages */
  constructor(name: string, plan: ReplayPlan, expected: ExpectedReplies | undefined) {
    this.#name = name;
    this.#plan = plan;
    this.#expected = expected;
  }

  /** Begins a pass through the recording. Returns the selection of its datagrams, and the tally of packets without a datagram. */
  beginPass(): { readonly selection: ReplaySelection; readonly tally: SkipTally } {
    const selection = new ReplaySelection(this.#plan.replayFilter);
    const isFirst = this.#selection === undefined;
    this.#selection ??= selection;
    return { selection, tally: isFirst ? this.#tally : new SkipTally() };
  }

  /** Notes the recorded sender of a datagram. @throws {LocalFailure} for more than 1024 senders with `--senders each` */
  addSender({ number, sender }: Replayed): void {
    if (this.#senders.has(sender)) return;
    if (this.#plan.senders === 'each' && this.#senders.size === MAX_SENDERS) {
      throw new LocalFailure(
        `datagram ${number} of ${this.#name} is from ${sender}, and ${MAX_SENDERS} senders have a socket each already: that is the limit of --senders each; --replay-filter 'src ADDRESS' takes fewer`,
      );
    }
    if (this.#senders.size < MAX_COUNTED_SENDERS) this.#senders.add(sender);
  }

  /** Notes a sent datagram of the first pass. @param usesTimes whether the replay uses the recorded times */
  add({ timeMs, data, mayBeJoined }: Replayed, usesTimes: boolean): void {
    if (Number.isNaN(timeMs) && usesTimes) this.#untimed += 1;
    if (!mayBeJoined) return;
    this.#joined.count += 1;
    this.#joined.largestBytes = Math.max(this.#joined.largestBytes, data.length);
  }

  get #leftOut(): LeftOut | undefined {
    if (this.#selection === undefined) return undefined;
    const { unselected } = this.#selection;
    return { unselected, tally: this.#tally, comparesReplies: this.#expected !== undefined };
  }

  /** The content that was not sent, by kind. Undefined if nothing was read. */
  get notSent(): readonly NotSent[] | undefined {
    return this.#leftOut === undefined ? undefined : listNotSent(this.#leftOut);
  }

  /** Tells the user what was not sent, and what was sent in another way than recorded. */
  tell(notes: Notes): void {
    const name = this.#name;
    if (this.#leftOut !== undefined) tellNotSent(this.#leftOut, name, this.#plan.replayFilter, notes);
    tellJoined(this.#joined.count, this.#joined.largestBytes, name, notes);
    const untimed = this.#untimed;
    if (untimed > 0) {
      const were = untimed === 1 ? '1 datagram was' : `${formatCount(untimed)} datagrams were`;
      notes.warn(`${were} sent without a pause: ${name} does not say when`, { untimed });
    }
    const { size } = this.#senders;
    if (size > 1 && this.#plan.senders !== 'each') {
      const senders = `${size === MAX_COUNTED_SENDERS ? 'at least ' : ''}${formatCount(size)} senders`;
      notes.info(`the ${senders} of ${name} were replayed from one socket (--senders each gives each its own)`);
    }
  }

  /** Why nothing was sent, in words. */
  describeNothing(): string {
    const takes = this.#plan.replayFilter === undefined ? 'to send' : 'that --replay-filter takes';
    const held = this.#leftOut === undefined ? '' : describeHeld(this.#leftOut);
    return `${this.#name} holds no datagram ${takes}${held === '' ? '' : `: it holds ${held}`}`;
  }
}
