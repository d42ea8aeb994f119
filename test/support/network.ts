/** A network of several hosts. A test can start programs on each of them at any time. Needs root. */
import { commandLine, type Outcome, quote, type RunOptions, type Running, shell } from './udpcat.js';

/**
 * The hosts and their numbers. The host with number n has these addresses, and fe80::n on each link:
 *
 * | link | hosts | addresses |
 * | --- | --- | --- |
 * | `lan0` | `near`, `far`, `other` | 10.9.8.n, fd09:8::n |
 * | `lan1` | `near`, `far` | 10.9.9.n, fd09:9::n |
 * | `lan2` | `far`, `beyond` | 10.9.10.n, fd09:10::n |
 *
 * `far` is the router between `near` and `beyond`.
 */
const HOSTS = { near: 1, far: 2, other: 3, beyond: 4 } as const;
export type HostName = keyof typeof HOSTS;

const LINKS: Readonly<Record<string, readonly HostName[]>> = {
  lan0: ['near', 'far', 'other'],
  lan1: ['near', 'far'],
  lan2: ['far', 'beyond'],
};

/** Returns the commands of ip(8) that give a host its addresses on a link. A link that goes down loses its IPv6 addresses. */
function addresses(link: string, host: HostName): string[] {
  const n = HOSTS[host];
  const net = 8 + Object.keys(LINKS).indexOf(link);
  return [`10.9.${net}.${n}/24 brd +`, `fd09:${net}::${n}/64 nodad`, `fe80::${n}/64 nodad`].map(
    (address) => `address replace ${address} dev ${link}`,
  );
}

/** Returns a shell command line that runs commands of ip(8), on a host or beside the hosts, in one process. */
function ip(commands: readonly string[], host?: HostName): string {
  return `printf '%s\\n' ${commands.map(quote).join(' ')} | ip ${host === undefined ? '' : `-n ${host}`} -batch -`;
}

const NAMES = Object.keys(HOSTS) as HostName[];

/** Routes beyond the links of a host. */
const ROUTES: Partial<Record<HostName, readonly string[]>> = {
  near: ['route add 10.9.10.0/24 via 10.9.8.2', 'route add fd09:10::/64 via fd09:8::2'],
  beyond: ['route add 10.9.8.0/24 via 10.9.10.2', 'route add fd09:8::/64 via fd09:10::2'],
};

const SETUP = [
  'mount -t tmpfs none /run',
  ip([
    ...NAMES.map((host) => `netns add ${host}`),
    ...Object.entries(LINKS).flatMap(([link, hosts]) => [
      `link add ${link} type bridge mcast_snooping 0`,
      `link set ${link} addrgenmode none up`,
      ...hosts.flatMap((host) => [
        `link add ${link}-${host} master ${link} type veth peer name ${link} netns ${host}`,
        `link set ${link}-${host} addrgenmode none up`,
      ]),
    ]),
  ]),
  'ip netns exec far sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"',
  ...NAMES.map((host) =>
    ip(
      [
        'link set lo up',
        ...Object.keys(LINKS)
          .filter((link) => LINKS[link]?.includes(host))
          .flatMap((link) => [`link set ${link} addrgenmode none up`, ...addresses(link, host)]),
        ...(ROUTES[host] ?? []),
      ],
      host,
    ),
  ),
];

/** A running network. At its end it ends all programs that still run on its hosts. */
export class Network implements AsyncDisposable {
  readonly #holder: Running;
  readonly #started: Running[] = [];

  private constructor(holder: Running) {
    this.#holder = holder;
  }

  static async open(): Promise<Network> {
    const holder = shell(
      `exec unshare --net --mount sh -c ${quote([...SETUP, 'echo ready', 'exec cat'].join(' && '))}`,
    );
    await holder.until('ready');
    return new Network(holder);
  }

  /** Starts a shell command line on a host. */
  shell(host: HostName, line: string): Running {
    const enter = `nsenter --target ${this.#holder.pid} --net --mount ip netns exec ${host}`;
    const started = shell(`exec ${enter} sh -c ${quote(line)}`);
    this.#started.push(started);
    return started;
  }

  /** Starts udpcat on a host. */
  start(host: HostName, args: readonly string[]): Running {
    return this.shell(host, `exec ${commandLine(args)}`);
  }

  /** Starts a server on a host. Resolves when the server is ready. */
  async serve(host: HostName, args: readonly string[]): Promise<Running> {
    const server = this.start(host, args);
    await server.listening();
    return server;
  }

  /** Runs udpcat on a host to its end. */
  async udpcat(host: HostName, args: readonly string[], { stdin = '' }: RunOptions = {}): Promise<Outcome> {
    const running = this.start(host, args);
    running.stdin.end(stdin);
    return await running.outcome;
  }

  /** Runs a command line on a host to its end. Returns its stdout. Throws unless its status is 0. */
  async run(host: HostName, line: string): Promise<string> {
    const { status, stdout, stderr } = await this.shell(host, line).outcome;
    if (status !== 0) throw new Error(`${line}: ${stderr}`);
    return stdout.toString();
  }

  /** Takes a link of a host down. */
  async down(host: HostName, link: string): Promise<void> {
    await this.run(host, `ip link set ${link} down`);
  }

  /** Brings a link of a host up again and gives it its addresses. */
  async up(host: HostName, link: string): Promise<void> {
    await this.run(host, ip([`link set ${link} up`, ...addresses(link, host)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#started, this.#holder].map((running) => running[Symbol.asyncDispose]()));
  }
}
