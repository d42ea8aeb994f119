import { readdirSync, readFileSync } from 'node:fs';

/** Sessions at a time, unless `--max-sessions` says otherwise. */
export const MAX_SESSIONS = 10_000;
/** Descriptors that are left for files, look-ups and the rest of the process. */
const SPARE_DESCRIPTORS = 32;

/** The number of sessions that a system allows, and why it is not more. */
export interface SessionLimit {
  readonly most: number;
  /** In words that follow "the system has". Undefined if all sessions that were asked for are possible. */
  readonly why: string | undefined;
}

/**
 * Holds a number of sessions against the limits of the system: descriptors (getrlimit(2)), and ports that it chooses
 * (`net.ipv4.ip_local_port_range`, ip(7)). Where the system does not tell them, the number holds.
 *
 * @param socketsEach how many sockets a session has at most
 */
export function limitSessions(asked: number, socketsEach: number): SessionLimit {
  const limits = [
    { count: freeDescriptors(), says: (count: number) => `${count} free descriptors (ulimit -n)` },
    { count: countPorts(), says: (count: number) => `${count} ports to choose from (net.ipv4.ip_local_port_range)` },
  ];
  let [most, why]: [number, string | undefined] = [asked, undefined];
  for (const { count, says } of limits) {
    if (count === undefined || Math.floor(count / socketsEach) >= most) continue;
    most = Math.max(1, Math.floor(count / socketsEach));
    why = says(count);
  }
  return { most, why };
}

function freeDescriptors(): number | undefined {
  const [, soft] = /^Max open files +(\d+)/m.exec(read('/proc/self/limits')) ?? [];
  if (soft === undefined) return undefined;
  return Math.max(1, Number(soft) - readdirSync('/proc/self/fd').length - SPARE_DESCRIPTORS);
}

function countPorts(): number | undefined {
  const [, from, to] = /^(\d+)\s+(\d+)/.exec(read('/proc/sys/net/ipv4/ip_local_port_range')) ?? [];
  return from === undefined ? undefined : Number(to) - Number(from) + 1;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
