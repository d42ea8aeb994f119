/** Numbers of the pcap format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ */

/** The first four bytes of a file. They show its byte order and the unit of its times. */
export const MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Alexey Kuznetzov's variant, in old files: microseconds, and a longer header of each packet. */
export const MAGIC_MODIFIED = 0xa1b2cd34;

export const FILE_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;
export const MODIFIED_RECORD_HEADER_BYTES = 24;

/** The maximum number of captured bytes of one packet: the limit of libpcap, and the default snap length of tcpdump. */
export const MAX_PACKET_BYTES = 262_144;
