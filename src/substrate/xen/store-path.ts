// How to connect to the store that `chooseStore` finds.
import { type Native, native } from '../../native.js'
import type { OpenXenstoreTransport } from '../../xenstore/transport.js'
import { unixSocketTransport } from '../../xenstore/unix-socket-transport.js'
import { XEN_DEVICES } from './devices.js'
import { chooseStore } from './presence.js'
import { openXenbus } from './xenbus-transport.js'

/** Through the daemon's socket or /dev/xen/xenbus. */
export function xenStore(
  addon: () => Native = native,
  environment: NodeJS.ProcessEnv = process.env,
): OpenXenstoreTransport {
  const { path } = chooseStore('/', environment)
  return path === XEN_DEVICES.xenbus.path ? async () => openXenbus(addon()) : unixSocketTransport(path)
}
