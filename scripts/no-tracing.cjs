// Stands for @opentelemetry/api. prom-client uses it only for exemplars, and udpcat never asks for them.
module.exports = {};
