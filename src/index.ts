// The public API of conduit-vchan: re-exports, nothing else.
export type { ConduitMode } from '../protocol/conduit-entry.js'
export type { FlowEntry } from '../protocol/conduit-flow.js'
export type { Domid, EvtchnPort, Gref } from '../protocol/xen.js'
export type { Clock, Timer } from './conduit/clock.js'
export { Conduit, type ConduitOptions } from './conduit/conduit.js'
export type { ConnectOptions, MessageConnectOptions, StreamConnectOptions } from './conduit/connect-options.js'
export type { ConnectionOptions } from './conduit/create-connection.js'
export type { Flow } from './conduit/flows.js'
export type { NameEntry } from './conduit/names.js'
export { ConduitServer } from './conduit/server.js'
export type {
  ConnectionListener,
  DroppedConnection,
  ListenOptions,
  ServerAddress,
  ServerOptions,
} from './conduit/server-options.js'
export type { ConnectTrace } from './conduit/trace.js'
export { ConduitError, type ConduitErrorCode, type ConduitErrorDetails, ERROR_CODES, isConduitError } from './errors.js'
export { connect, createConnection, createServer, type EnvironmentOptions, openEnvironment } from './open.js'
export type { Backend, SubstrateOptions } from './substrate/select.js'
export type { ChannelCounters } from './vchan/channel.js'
export { ConduitMessageSocket, type ConduitMessageSocketOptions } from './vchan/message-socket.js'
export { ConduitSocket, type ConduitSocketOptions, type OnReadOptions } from './vchan/socket.js'
