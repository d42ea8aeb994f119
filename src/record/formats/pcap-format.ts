/** What the pcap format says of itself: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/ */

/** The number that a file begins with: it tells the byte order, and how fine the times are. */
export const MAGIC_MICROSECONDS = 0xa1b2c3d4;
export const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** Alexey Kuznetzov's variant, in old files: microseconds, and more about each packet. */
export const MAGIC_MODIFIED = 0xa1b2cd34;

export const FILE_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;
export const MODIFIED_RECORD_HEADER_BYTES = 24;

/** The most that libpcap takes for one packet, and what tcpdump captures of each unless told otherwise. */
export const MAX_PACKET_BYTES = 262_144;
