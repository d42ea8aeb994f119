/**
 * Constants of Linux, from its headers under `include/uapi`. x64 and arm64 use the same values, those of `asm-generic`.
 */

/** `socket(2)` */
export const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM = 2;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2_000_000;

/** Levels of `setsockopt(2)` and of control messages. */
export const SOL_IP = 0;
export const SOL_SOCKET = 1;
export const SOL_UDP = 17;
export const SOL_IPV6 = 41;

/** Options of `socket(7)`. */
export const SO_REUSEADDR = 2;
export const SO_ERROR = 4;
export const SO_BROADCAST = 6;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_REUSEPORT = 15;
export const SO_PASSCRED = 16;
export const SO_BINDTODEVICE = 25;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const SO_TIMESTAMPNS = 35;
export const SO_TIMESTAMPING = 37;
export const SO_MEMINFO = 55;

/** Options of `ip(7)`. */
export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_PKTINFO = 8;
export const IP_MTU_DISCOVER = 10;
export const IP_RECVERR = 11;
export const IP_MTU = 14;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_ALL = 49;
export const IP_PMTUDISC_DO = 2;
/**
 * Options of both families that name an interface by its index, with `struct group_req` and `struct group_source_req`.
 */
export const MCAST_JOIN_GROUP = 42;
export const MCAST_JOIN_SOURCE_GROUP = 46;

/** Options of `ipv6(7)`. */
export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_IF = 17;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_MTU_DISCOVER = 23;
export const IPV6_MTU = 24;
export const IPV6_RECVERR = 25;
export const IPV6_V6ONLY = 26;
export const IPV6_MULTICAST_ALL = 29;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_TCLASS = 67;

/** Options of `udp(7)`. */
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;

/** Type of the control message with the credentials of the sender, `unix(7)`. */
export const SCM_CREDENTIALS = 2;

/** Flags of `recvmsg(2)`. */
export const MSG_DONTWAIT = 0x40;
export const MSG_ERRQUEUE = 0x2000;

/** `epoll_ctl(2)` */
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLLIN = 0x1;
export const EPOLLOUT = 0x4;
export const EPOLLERR = 0x8;
export const EPOLLRDHUP = 0x2000;
/** `epoll_create1(2)` */
export const EPOLL_CLOEXEC = SOCK_CLOEXEC;

/** `clock_gettime(2)` */
export const CLOCK_REALTIME = 0;
export const CLOCK_MONOTONIC = 1;

/** `timerfd_create(2)` */
export const TFD_NONBLOCK = SOCK_NONBLOCK;
export const TFD_CLOEXEC = SOCK_CLOEXEC;

/** `errno(3)` */
export const EPERM = 1;
export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EINVAL = 22;
export const ENAMETOOLONG = 36;
export const ENONET = 64;
export const EPROTO = 71;
export const EMSGSIZE = 90;
export const ENOPROTOOPT = 92;
export const EOPNOTSUPP = 95;
export const ENETUNREACH = 101;
export const ENOBUFS = 105;
export const ECONNREFUSED = 111;
export const EHOSTDOWN = 112;
export const EHOSTUNREACH = 113;

/** Origin of an entry in `sock_extended_err` of `ip(7)`: this host, an ICMP message, an ICMPv6 message, or the time of a sending. */
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;
export const SO_EE_ORIGIN_TIMESTAMPING = 4;

/** A flag of SO_TIMESTAMPING: the kernel notes the time when it gives the datagram to the device (`timestamping.rst`). */
export const SOF_TIMESTAMPING_TX_SOFTWARE = 2;
