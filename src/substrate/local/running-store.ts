// The local hypervisor's store, if one runs: for looking, with the eyes of dom0. Starts nothing.
import { join } from 'node:path'
import { XENSTORE_SOCKET_NAME } from '../../../protocol/local-control.js'
import type { OpenXenstoreTransport } from '../../xenstore/transport.js'
import { unixSocketTransport } from '../../xenstore/unix-socket-transport.js'
import { hasRuntimeDirectory } from './runtime-dir.js'

/**
 * How to connect to it; undefined where there is no runtime directory. Opening rejects with ENOENT or ECONNREFUSED where none runs.
 * @throws ConduitError RUNTIME_DIR: a store that another user put there would be believed; EINVAL
 */
export const runningLocalStore = (directory: string): OpenXenstoreTransport | undefined =>
  hasRuntimeDirectory(directory) ? unixSocketTransport(join(directory, XENSTORE_SOCKET_NAME)) : undefined
