/**
 * UDP for Node. {@link startUdpServer} opens a socket that receives from every sender. {@link openUdpConnection} opens
 * a socket that talks to one peer. Both have a bounded receive queue, report ICMP errors and close in order.
 *
 * UDP (RFC 768) does not promise much. A datagram may be lost, doubled, reordered or forged on its way. A datagram that
 * arrives is complete.
 *
 * @packageDocumentation
 */
export { type ClientOptions, DatagramClient, openUdpConnection } from './client.js';
export type { Arrivals, Datagram, Outgoing, OutgoingRun, Payload, Run } from './datagram.js';
export type { Receiver } from './receiver.js';
export { type ConsumeOptions, DatagramSocket } from './datagram-socket.js';
export type { DatagramSocketEvents } from './socket-events.js';
export { type Address, formatAddress, type Host } from './address/address.js';
export {
  type Endpoint,
  type Family,
  familyOf,
  formatEndpoint,
  MAX_PAYLOAD_BYTES,
  sameEndpoint,
} from './address/endpoint.js';
export { parseAddress } from './address/parse.js';
export type {
  EngineName,
  KernelBuffers,
  MissingFeature,
  SendBatchOptions,
  SendFailure,
  SocketOptions,
} from './engines/engine.js';
export { type EngineChoice, ENGINES } from './engines/choice.js';
export { DatagramError, type DatagramErrorCode, type IcmpDetail } from './errors.js';
export { type Membership, parseMembership } from './address/membership.js';
export type { Consumer, Overflow } from './receive-queue.js';
export type { Lookup } from './address/resolve.js';
export { DatagramServer, type SendOptions, type ServerOptions, startUdpServer } from './server.js';
export type { AddressLike, DatagramSocketOptions, ReceiveOptions, Strays } from './socket-options.js';
