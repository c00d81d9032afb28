// Where the store is: the daemon's socket in the domain where it runs, the kernel's device in every other.
import { existsSync } from 'node:fs'
import { type Native, native } from '../../native.js'
import type { OpenXenstoreTransport } from '../../xenstore/transport.js'
import { unixSocketTransport } from '../../xenstore/unix-socket-transport.js'
import { xenstoredSocket } from '../../xenstore/xenstored-socket.js'
import { XEN_DEVICES } from './devices.js'
import { openXenbus } from './xenbus-transport.js'

/** How to connect to the store: through the socket where there is one, else through /dev/xen/xenbus. */
export function xenStore(
  addon: () => Native = native,
  environment: NodeJS.ProcessEnv = process.env,
): OpenXenstoreTransport {
  const socket = xenstoredSocket(environment)
  if (socket === XEN_DEVICES.xenbus.path || !existsSync(socket)) return async () => openXenbus(addon())
  return unixSocketTransport(socket)
}
