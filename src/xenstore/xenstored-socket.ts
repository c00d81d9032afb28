// Where the store's daemon listens, in the domain where it runs.
import { join } from 'node:path'

/** Default of XENSTORED_RUNDIR, and the socket in it (xen, tools/include/xen-tools/xenstore-common.h). */
const RUN_DIRECTORY = '/var/run/xenstored'
const SOCKET_NAME = 'socket'

/** The daemon's socket, as libxenstore finds it: XENSTORED_PATH, else `socket` in XENSTORED_RUNDIR. */
export function xenstoredSocket(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.XENSTORED_PATH) return environment.XENSTORED_PATH
  return join(environment.XENSTORED_RUNDIR || RUN_DIRECTORY, SOCKET_NAME)
}
