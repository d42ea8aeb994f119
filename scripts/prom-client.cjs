// The parts of prom-client that udpcat uses. Its index.js loads all others as well.
module.exports = {
  Registry: require('../node_modules/prom-client/lib/registry.js'),
  collectDefaultMetrics: require('../node_modules/prom-client/lib/defaultMetrics.js'),
};
