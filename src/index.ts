// The public API of conduit-vchan: re-exports, nothing else.
export type { ConduitMode } from '../protocol/conduit-entry.js'
export type { ConduitLayout } from '../protocol/conduit-flat.js'
export type { FlowEntry } from '../protocol/conduit-flow.js'
export type {
  Endpoint,
  TcpEndpoint,
  TlsEndpoint,
  UnixEndpoint,
  UnknownEndpoint,
  VchanDirectEndpoint,
  VchanNameEndpoint,
} from '../protocol/endpoint.js'
export type { EndpointForm } from '../protocol/endpoint-text.js'
export type { Service } from '../protocol/service-names.js'
export type { Branded, Domid, EvtchnPort, Gref } from '../protocol/xen.js'
export { domid } from '../protocol/xen.js'
export type { XenstoreAccess } from '../protocol/xenstore-permissions.js'
export type { HostAddress, SocketAddress, TlsAddress, UriAddress, XenAddress } from './adapters/address-types.js'
export type { CreatedSocket, EndpointConnectionOptions } from './adapters/create-connection.js'
export { DeferredSocket } from './adapters/deferred-socket.js'
export type { EndpointConnectOptions, EndpointSocket, EndpointTlsOptions } from './adapters/endpoint-options.js'
export type {
  EndpointAgentOptions,
  UndiciConnectCallback,
  UndiciConnectOptions,
  UndiciConnector,
} from './adapters/http-agent.js'
export { adoptConnections } from './adopt/adopt-connections.js'
export type { AdoptOptions, AdoptTarget } from './adopt/adopt-options.js'
export type { AdoptedConnections } from './adopt/adopted-connections.js'
export type { Clock, Timer } from './conduit/clock.js'
export { Conduit, type ConduitOptions } from './conduit/conduit.js'
export type { ConnectOptions, MessageConnectOptions, StreamConnectOptions } from './conduit/connect-options.js'
export type { ConnectionOptions } from './conduit/create-connection.js'
export type { Flow, UnlistedFlows } from './conduit/flows.js'
export type { NameEntry } from './conduit/names.js'
export { ConduitServer } from './conduit/server.js'
export type { ServerSocket } from './conduit/server-connections.js'
export type {
  ConnectionListener,
  DroppedConnection,
  ListenOptions,
  MessageServerOptions,
  ServerAddress,
  ServerOptions,
  StreamServerOptions,
} from './conduit/server-options.js'
export type { ConnectTrace } from './conduit/trace.js'
export { ConduitError, type ConduitErrorCode, type ConduitErrorDetails, ERROR_CODES, isConduitError } from './errors.js'
export { connect, createConnection, createServer, type EnvironmentOptions, openEnvironment } from './open.js'
export { formatEndpoint, parseEndpoint } from './open-endpoint.js'
export { ConduitAgent, type ConduitConnectorOptions, ConduitHttpsAgent, conduitConnector } from './open-http.js'
export {
  createResolver,
  lookup,
  type ResolveEndpointOptions,
  type ResolverSetup,
  resolveEndpoint,
} from './open-resolver.js'
export type { AddressFamily } from './resolver/host-addresses.js'
export type { LookupFunction } from './resolver/lookup.js'
export type { ResolutionStep, ResolutionStepKind } from './resolver/resolution-steps.js'
export type { Resolver } from './resolver/resolver.js'
export type { AddressesOptions, Resolution, ResolveOptions, ResolverOptions } from './resolver/resolver-options.js'
export type { ResolverRule, RuleQuery } from './resolver/rule.js'
export type { Backend, SubstrateOptions } from './substrate/select.js'
export type { ChannelState, VchanChannel } from './vchan/channel.js'
export type { ChannelCounters } from './vchan/channel-counters.js'
export type { Outbound } from './vchan/channel-ends.js'
export type { Role } from './vchan/control-page.js'
export type { ControlPageSnapshot, EndMarksSnapshot, RingSnapshot } from './vchan/control-page-snapshot.js'
export {
  ConduitMessageSocket,
  type ConduitMessageSocketEvents,
  type ConduitMessageSocketOptions,
} from './vchan/message-socket.js'
export type { SocketIdentity, SocketReadyState } from './vchan/net-face.js'
export type { OnReadOptions } from './vchan/onread.js'
export type { Direction } from './vchan/peer-status.js'
export { ConduitSocket, type ConduitSocketOptions } from './vchan/socket.js'
export {
  type Permission,
  type RequestOptions,
  type TransactionOptions,
  type WatchOptions,
  XenstoreClient,
  type XenstoreClientOptions,
  type XenstoreTransaction,
  type XenstoreWatch,
} from './xenstore/client.js'
export type { Delay } from './xenstore/link.js'
export type { OpenXenstoreTransport, XenstoreTransport } from './xenstore/transport.js'
export { unixSocketTransport } from './xenstore/unix-socket-transport.js'
