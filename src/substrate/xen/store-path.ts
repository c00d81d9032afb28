// Where the store is: the daemon's socket in the domain where it runs, the kernel's device in every other.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Native } from '../../native.js'
import type { OpenXenstoreTransport } from '../../xenstore/transport.js'
import { unixSocketTransport } from '../../xenstore/unix-socket-transport.js'
import { XEN_DEVICES } from './devices.js'
import { openXenbus } from './xenbus-transport.js'

/** xen, tools/include/xen-tools/xenstore-common.h: the default of XENSTORED_RUNDIR, and the socket in it. */
const RUN_DIRECTORY = '/var/run/xenstored'
const SOCKET_NAME = 'socket'

/** The daemon's socket, as libxenstore finds it: XENSTORED_PATH, else `socket` in XENSTORED_RUNDIR. */
export function xenstoredSocket(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.XENSTORED_PATH) return environment.XENSTORED_PATH
  return join(environment.XENSTORED_RUNDIR || RUN_DIRECTORY, SOCKET_NAME)
}

/** How to connect to the store: through the socket where there is one, else through /dev/xen/xenbus. */
export function xenStore(addon: () => Native, environment: NodeJS.ProcessEnv = process.env): OpenXenstoreTransport {
  const socket = xenstoredSocket(environment)
  if (socket === XEN_DEVICES.xenbus.path || !existsSync(socket)) return async () => openXenbus(addon())
  return unixSocketTransport(socket)
}
