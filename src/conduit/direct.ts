// libxenvchan's own rendezvous, vchan://DOMID/PORT: no name, no registrar, two keys under the server's data/vchan. A peer
// may be a C program or a unikernel. One client for each time it is served.
import { DIRECT_PATH_CHARS, type DirectAddress, formatAddress, vchanPath } from '../../protocol/conduit.js'
import { ConduitError } from '../errors.js'
import type { VchanChannel } from '../vchan/channel.js'
import { type ConduitContext, ownDomid } from './context.js'
import { untilAborted } from './deadline.js'
import { DirectKeys } from './direct-keys.js'
import { openChannel } from './open-channel.js'
import { openProvisioned } from './open-provisioned.js'
import { throughOutages } from './outages.js'
import { serveWithinMeans } from './serve-within-means.js'
import { areProvisioned, readKeys, type VchanKeys } from './vchan-keys.js'

export interface DirectRequest {
  readonly spinMicros: number | undefined
  /** Wait until somebody serves there. */
  readonly wait: boolean
  onStep(step: string): void
}

export interface DirectServer {
  /** The one client, once it has come; rejects when the service is closed first. */
  readonly client: Promise<VchanChannel>
  close(): Promise<void>
}

/** @throws ConduitError CONDUIT_NAME where libxenvchan would cut the path off. */
export function directPath(server: number, client: number, address: DirectAddress): string {
  const path = `${vchanPath(server as DirectAddress['domid'], client as DirectAddress['domid'])}/${address.port}`
  if (path.length <= DIRECT_PATH_CHARS) return path
  throw new ConduitError(
    'CONDUIT_NAME',
    `the port ${JSON.stringify(address.port)} makes a path of ${path.length} characters`,
    {
      endpoint: formatAddress(address),
      hint: `libxenvchan cuts paths off after ${DIRECT_PATH_CHARS}: ports of up to 12 characters always fit`,
    },
  )
}

/** @throws ConduitError ENOENT when nobody serves there, CONDUIT_PROTOCOL, EACCES, ECONNRESET, …; the signal's reason. */
export function connectDirect(
  context: ConduitContext,
  address: DirectAddress,
  request: DirectRequest,
  signal: AbortSignal,
): Promise<VchanChannel> {
  return throughOutages(context, signal, (limit, afterOutage) =>
    connectDirectNow(context, address, { ...request, wait: request.wait || afterOutage }, limit),
  )
}

/** The same without going on through a restart of the store. */
export async function connectDirectNow(
  context: ConduitContext,
  address: DirectAddress,
  request: DirectRequest,
  signal: AbortSignal,
): Promise<VchanChannel> {
  const server = address.domid
  const path = directPath(server, ownDomid(context), address)
  request.onStep('the server to publish its keys')
  const { store } = context
  // Asked for together: it costs no time.
  const [found, early] = await Promise.all([readKeys(store, path, server), areProvisioned(store, path, server)])
  const keys = found ?? (await waitForKeys(context, path, address, request.wait, signal))
  const provisioned = found === undefined ? await areProvisioned(store, path, server) : early
  const target = { server, keys, endpoint: formatAddress(address), spinMicros: request.spinMicros, path }
  request.onStep(provisioned ? 'the server to boot and grant its page' : 'the channel to be mapped')
  return provisioned ? openProvisioned(context, target, signal) : openChannel(context, target, signal)
}

async function waitForKeys(
  context: ConduitContext,
  path: string,
  address: DirectAddress,
  wait: boolean,
  signal: AbortSignal,
): Promise<VchanKeys> {
  if (!wait) {
    throw new ConduitError('ENOENT', `nobody serves ${formatAddress(address)} to this domain`, {
      endpoint: formatAddress(address),
      domid: address.domid,
      hint: `the server must offer the port to domain ${ownDomid(context)}; or wait for it (wait: true, conduit-cat --wait)`,
    })
  }
  let found: (keys: VchanKeys) => void = () => undefined
  let failed: (error: unknown) => void = () => undefined
  const keys = new Promise<VchanKeys>((resolve, reject) => {
    found = resolve
    failed = reject
  })
  const watch = await context.store.watch(path, () => {
    readKeys(context.store, path, address.domid).then((there) => there && found(there), failed)
  })
  try {
    return await untilAborted(keys, signal)
  } finally {
    context.background.run(watch.close())
  }
}

/**
 * Serve one client at vchan://DOMID/PORT, where DOMID is the client's.
 * @throws ConduitError EADDRINUSE, GRANT_LIMIT; the signal's reason.
 */
export async function serveDirect(
  context: ConduitContext,
  address: DirectAddress,
  options: { readonly ringBytes: number; readonly spinMicros: number | undefined },
  signal: AbortSignal,
): Promise<DirectServer> {
  const { store, background } = context
  const server = ownDomid(context)
  const client = address.domid
  const path = directPath(server, client, address)
  const own = new DirectKeys(store, address)
  await throughOutages(context, signal, () => own.checkFree({ path, server }))
  const channel = await serveWithinMeans(context, client, options)
  const keys = { path, server, client, ringRef: channel.ringRef, port: channel.port }
  const publish = (limit: AbortSignal) => own.publish(keys, limit)
  const closing = new AbortController()
  try {
    await throughOutages(context, signal, publish)
  } catch (error) {
    background.run(own.withdraw(keys))
    await channel.close()
    throw error
  }
  const stopListening = store.onReconnect(() => {
    const again = throughOutages(context, closing.signal, publish)
    // Whoever was faster than us has the place.
    background.run(again.catch((error: unknown) => closing.abort(error)))
  })
  const withdraw = async () => {
    stopListening()
    closing.abort()
    await own.withdraw(keys)
  }
  const connected = channel.connected({ signal: closing.signal }).then(
    () => {
      background.run(withdraw())
      return channel
    },
    async (error: unknown) => {
      await Promise.all([withdraw(), channel.close()])
      throw error
    },
  )
  connected.catch(() => undefined)
  const close = async () => {
    closing.abort(new ConduitError('VCHAN_CLOSED', `${formatAddress(address)} was closed before a client came`))
    await connected.catch(() => undefined)
  }
  return { client: connected, close }
}
