// Stands in for the package thread-stream, a part of pino, in the bundle: see bundle.mjs.
module.exports = class {
  constructor() {
    throw new Error('the bundle of pino has no transports');
  }
};
