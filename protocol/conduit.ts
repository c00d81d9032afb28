// The rendezvous protocol of Conduit, pure: names, addresses, paths, entries, flows. Re-exports, nothing else.
export * from './conduit-address.js'
export * from './conduit-entry.js'
export * from './conduit-flat.js'
export * from './conduit-flow.js'
export * from './conduit-name.js'
export * from './conduit-paths.js'
export * from './conduit-reservation.js'
export * from './conduit-summon.js'
