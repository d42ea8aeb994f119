// Stands in for parts of packages that udpcat does not use: see packages.mjs.
module.exports = class {
  constructor() {
    throw new Error('the build has left out this part of the package');
  }
};
