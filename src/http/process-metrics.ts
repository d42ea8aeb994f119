/** Returns the metrics of this process in the text format of Prometheus, part by part. They are at most a second old. */
export type ProcessMetrics = () => Iterable<string | Promise<string>>;

/** To read the metrics takes milliseconds, in which no socket is served. So a flood of requests gets the same ones. */
const KEPT_MS = 1000;

/** How often the delay of the event loop is measured, in milliseconds. */
const LOOP_DELAY_STEP_MS = 100;

/** Counts of handles and requests. To count them takes long in a process with many sockets. */
const LEFT_OUT = ['handles', 'requests', 'resources'].flatMap((what) => [
  `nodejs_active_${what}`,
  `nodejs_active_${what}_total`,
]);

let opened: Promise<ProcessMetrics> | undefined;

/** Begins to measure this process: CPU time, memory, descriptors, garbage collection. It is measured once, for all callers. */
export function openProcessMetrics(): Promise<ProcessMetrics> {
  return (opened ??= open());
}

async function open(): Promise<ProcessMetrics> {
  const { collectDefaultMetrics, Registry } = await import('./vendor/prom-client.js');
  const register = new Registry();
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: LOOP_DELAY_STEP_MS });
  for (const name of LEFT_OUT) register.removeSingleMetric(name);
  const metrics = register
    .getMetricsAsArray()
    .map(({ name }) => ({ name, text: Promise.resolve(''), readMs: -Infinity }));
  return function* read() {
    for (const metric of metrics) {
      const nowMs = performance.now();
      if (nowMs - metric.readMs >= KEPT_MS) {
        metric.text = register.getSingleMetricAsString(metric.name).then((text) => `${text}\n`);
        metric.readMs = nowMs;
      }
      yield metric.text;
    }
  };
}
