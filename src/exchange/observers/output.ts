import { type Datagram, type Endpoint, formatEndpoint } from '../../net/index.js';
import { payloadFields } from '../../output/json-lines.js';
import type { RecordTarget } from '../../record/target.js';
import type { Context } from '../../run/context.js';
import type { BufferPlan } from '../../run/plan.js';
import type { Report } from '../../run/report.js';
import { reportBuffers, reportEngine } from '../../run/socket-report.js';
import type { PreparedTap, Tap } from '../../run/tap.js';
import type { ExchangeObserver, ObservedExchange, TransmittedEvent } from '../events.js';
import type { MessageSource } from '../plan.js';

/** Strays that are told one by one; a flood of them is only counted. */
const MAX_STRAY_LINES = 10;

/** What it depends on how an exchange is written. */
export interface OutputPlan extends BufferPlan {
  /** Undefined for no recording. */
  readonly record: RecordTarget | undefined;
  readonly messages: MessageSource;
}

/** An exchange that is being written. */
export interface WrittenExchange {
  readonly observer: ExchangeObserver;
  /** Waits until all that was recorded is written, or dropped. @throws {RecordError} if the recording took no more */
  recorded(): Promise<void>;
}

/** Writes what an exchange receives, records what it receives and sends, counts it, and tells its errors. */
export function writeExchange(
  plan: OutputPlan,
  prepared: PreparedTap,
  report: Report,
  context: Context,
): WrittenExchange {
  const { log } = context;
  const { totals, drops } = report;
  const records = plan.record !== undefined;
  let exchange: ObservedExchange | undefined;
  let opening: Promise<Tap> | undefined;
  let tap: Tap | undefined;
  let endReports = (): void => undefined;
  const tally = (): void => {
    totals.sent = exchange?.transmitted ?? 0;
    totals.received = exchange?.received ?? 0;
  };
  /** Asking the kernel takes a millisecond: a check that is over in a few spends it only on counts that are read. */
  const askKernel = (): void => {
    if (tap !== undefined && exchange?.listens === true && report.countsAreRead) drops.askKernel();
  };
  const observer: ExchangeObserver = {
    measuring: ({ measurement }) => {
      totals.measure(measurement);
    },
    opened: async (opened) => {
      ({ exchange } = opened);
      // It begins at once, so that replies that come now find it.
      opening = prepared.open({ bound: exchange.local, meta: exchange.hearsEverybody });
      tap = await opening;
      if (exchange.listens) drops.watchKernel(exchange);
      askKernel();
      reportEngine(exchange.client, context);
      reportBuffers(plan, exchange.client.kernelBuffers, context);
      endReports = context.onReport(() => {
        tally();
        report.progress();
      });
    },
    replies: async ({ batch, local }) => {
      tap ??= await opening;
      if (tap === undefined) return;
      const kept = records ? await tap.recordReceived(at(local, batch)) : batch;
      await tap.write(kept.length === batch.length ? batch : batch.slice(0, kept.length));
    },
    strays: ({ batch, local }) => {
      for (const { remote, data } of batch) {
        const from = formatEndpoint(remote);
        totals.strays += 1;
        if (totals.strays <= MAX_STRAY_LINES) {
          log.warn(`${from} sent ${data.length} bytes, and is not the address asked: left out (--any-source)`, {
            from,
          });
        }
        report.event({ type: 'stray', from, size: data.length, ...payloadFields(data) });
      }
      if (!records) return;
      // A recording that cannot be opened ends the run by itself.
      opening?.then(
        (opened) => opened.recordReceived(at(local, batch)),
        () => undefined,
      );
    },
    ...(records && {
      transmitted: async ({ payloads, local, remote, timesMs }: TransmittedEvent) => {
        tap ??= await opening;
        await tap?.recordSent(
          payloads.map((data) => ({ data, remote, local })),
          timesMs,
        );
      },
    }),
    'peer error': ({ error }) => {
      // A person who types is to know of it.
      report.peerError(error, plan.messages.kind === 'typing' ? 'warn' : 'debug');
    },
    'receive error': ({ error }) => {
      report.receiveError(error);
    },
    dropped: ({ count }) => {
      drops.queueDropped(count);
    },
    left: ({ count }) => {
      drops.queueLeft(count);
    },
    note: ({ level, message, fields }) => {
      log[level](message, fields);
    },
    'not sent': ({ notSent }) => {
      totals.notSent = notSent;
    },
    // The address, and with it the socket, may have changed since it was opened.
    closing: askKernel,
    closed: () => {
      endReports();
      tally();
    },
  };
  return {
    observer,
    recorded: async () => {
      await tap?.recorded();
    },
  };
}

/** Datagrams with the address of the socket, where their own is not known. */
function at(local: Endpoint, batch: readonly Datagram[]): readonly Datagram[] {
  return batch.map((datagram) => (datagram.local === undefined ? { ...datagram, local } : datagram));
}
