// The parts of prom-client that count what the process uses. The build puts only these into the package.
export { collectDefaultMetrics, Registry } from 'prom-client';
