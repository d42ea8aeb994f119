import { type Datagram, type Endpoint, formatEndpoint } from '../../net/index.js';
import { payloadFields } from '../../output/json-lines.js';
import type { RecordTarget } from '../../record/target.js';
import type { Context } from '../../run/context.js';
import type { BufferPlan } from '../../run/plan.js';
import type { Report } from '../../run/report.js';
import { joinedGroups } from '../../run/joined-groups.js';
import { reportBuffers, reportEngine } from '../../run/socket-report.js';
import type { PreparedTap, Tap } from '../../run/tap.js';
import type { ExchangeObserver, JudgedEvent, ObservedExchange, TransmittedEvent } from '../events.js';
import type { MessageSource } from '../plan.js';

/** The maximum number of strays with a line. Further ones are only counted. */
const MAX_STRAY_LINES = 10;

/** The plan of {@link writeExchange}. */
export interface OutputPlan extends BufferPlan {
  /** The recording. Undefined: there is none. */
  readonly record: RecordTarget | undefined;
  readonly messages: MessageSource;
}

/** The output of an exchange. */
export interface WrittenExchange {
  readonly observer: ExchangeObserver;
  /** Waits until all recorded datagrams are written, or dropped. @throws {RecordError} if the recording failed */
  recorded(): Promise<void>;
}

/**
 * Makes an observer for the output of an exchange. It writes received datagrams to stdout, records received and sent ones,
 * counts both, and reports errors.
 */
export function writeExchange(
  plan: OutputPlan,
  prepared: PreparedTap,
  report: Report,
  context: Context,
): WrittenExchange {
  const { log } = context;
  const { totals, drops } = report;
  const records = plan.record !== undefined;
  // A person sees the round-trip time of each reply. A program reads it in JSON.
  const rttsMs = context.terminals.stdout ? new WeakMap<Datagram, number>() : undefined;
  let exchange: ObservedExchange | undefined;
  let opening: Promise<Tap> | undefined;
  let tap: Tap | undefined;
  let endReports = (): void => undefined;
  const tally = (): void => {
    totals.sent = exchange?.transmitted ?? 0;
    totals.received = exchange?.received ?? 0;
  };
  /** To ask the kernel takes a millisecond. So a short check asks it only if the counts are written or judged. */
  const askKernel = (): void => {
    if (tap !== undefined && exchange?.listens === true && report.countsAreRead) drops.askKernel();
  };
  const observer: ExchangeObserver = {
    measuring: ({ measurement }) => {
      totals.measure(measurement);
    },
    responders: ({ responders }) => {
      totals.responders = responders;
    },
    opened: async (opened) => {
      ({ exchange } = opened);
      const { sent, received } = exchange.flows;
      totals.flows.sent = () => sent;
      totals.flows.received = () => received;
      // `opening` is set before the first await, so that replies that come meanwhile wait for it.
      opening = prepared.open({
        bound: exchange.local,
        meta: exchange.hearsEverybody,
        rttMs: rttsMs && ((datagram) => rttsMs.get(datagram)),
      });
      tap = await opening;
      if (exchange.listens) drops.watchKernel(exchange);
      askKernel();
      reportEngine(exchange.client, context);
      for (const group of await joinedGroups(exchange.client)) log.debug(`joined ${group}`, { group });
      reportBuffers(plan, exchange.client.kernelBuffers, context);
      if (plan.messages.kind === 'typing') {
        log.info(`talking to ${formatEndpoint(exchange.remote)}; each line is one datagram; Ctrl-D ends`);
      }
      endReports = context.onReport(() => {
        tally();
        report.progress();
      });
    },
    ...(rttsMs && {
      judged: ({ batch, rttsMs: known }: JudgedEvent) => {
        for (const [index, datagram] of batch.entries()) {
          const ms = known[index];
          if (ms !== undefined) rttsMs.set(datagram, ms);
        }
      },
    }),
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
      // The observer of `opened` reports a recording that cannot be opened.
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
      // Without a verdict at the end, a user who types would not hear of the error otherwise.
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
    // The drops at the end: the exchange may have changed to another socket since `opened`.
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

/** Sets the local address of datagrams that have none to the address of the socket. */
function at(local: Endpoint, batch: readonly Datagram[]): readonly Datagram[] {
  return batch.map((datagram) => (datagram.local === undefined ? { ...datagram, local } : datagram));
}
