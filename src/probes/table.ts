import type { Probe } from './probe.js';

/** All probes by name. The code of a probe is loaded when it is used. */
export const PROBES: Readonly<Record<string, () => Promise<Probe>>> = {
  coap: async () => (await import('./coap.js')).coap,
  dns: async () => (await import('./dns.js')).dns,
  mdns: async () => (await import('./mdns.js')).mdns,
  memcached: async () => (await import('./memcached.js')).memcached,
  minecraft: async () => (await import('./minecraft.js')).minecraft,
  ntp: async () => (await import('./ntp.js')).ntp,
  quic: async () => (await import('./quic.js')).quic,
  radius: async () => (await import('./radius.js')).radius,
  sip: async () => (await import('./sip.js')).sip,
  snmp: async () => (await import('./snmp.js')).snmp,
  source: async () => (await import('./source.js')).source,
  ssdp: async () => (await import('./ssdp.js')).ssdp,
  statsd: async () => (await import('./statsd.js')).statsd,
  stun: async () => (await import('./stun.js')).stun,
  syslog: async () => (await import('./syslog.js')).syslog,
  tftp: async () => (await import('./tftp.js')).tftp,
};
