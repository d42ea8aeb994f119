import type { Probe } from './probe.js';

/** Every probe by its name. The file of each is read only if it is the one asked for. */
export const PROBES: Readonly<Record<string, () => Promise<Probe>>> = {
  dns: async () => (await import('./dns.js')).dns,
  ntp: async () => (await import('./ntp.js')).ntp,
  radius: async () => (await import('./radius.js')).radius,
  snmp: async () => (await import('./snmp.js')).snmp,
  stun: async () => (await import('./stun.js')).stun,
  syslog: async () => (await import('./syslog.js')).syslog,
};
