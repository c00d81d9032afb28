// jitsud's seat in domain 0: an environment of its own, the store with domain 0's rights, and on Xen the registrar where
// nobody else gives out names. On the local backend the local hypervisor is the registrar. Knows no services.
import { join } from 'node:path'
import { HOST_ID_PATH } from '../../protocol/conduit-paths.js'
import { XENSTORE_SOCKET_NAME } from '../../protocol/local-control.js'
import type { Conduit } from '../conduit/conduit.js'
import { Registrar } from '../conduit/registrar.js'
import { ConduitError, isConduitError } from '../errors.js'
import { native } from '../native.js'
import { openEnvironment } from '../open.js'
import { runtimeDirectory } from '../substrate/local/runtime-dir.js'
import { type Backend, type SubstrateOptions, selectBackend } from '../substrate/select.js'
import { xenStore } from '../substrate/xen/store-path.js'
import { XenstoreClient } from '../xenstore/client.js'
import { unixSocketTransport } from '../xenstore/unix-socket-transport.js'
import { errorFields, type Logger } from './logger.js'

/** Which machine, and who hears of it. */
export interface DomainZeroOptions extends Omit<SubstrateOptions, 'signal'> {
  readonly log: Logger
}

export class DomainZero {
  readonly backend: Backend
  /** Of the local hypervisor; undefined on Xen. */
  readonly runtimeDir: string | undefined
  readonly environment: Conduit
  readonly store: XenstoreClient
  /** Of the local hypervisor; on the local backend that is {@link store}. */
  readonly localStore: XenstoreClient
  /** As a process among those of this user; on the local backend that is {@link environment}. */
  readonly #local: Conduit
  readonly #log: Logger
  readonly #hostIdListeners = new Set<() => void>()
  #registrar: Registrar | undefined
  #lost: ConduitError | undefined
  #hostId: string | undefined

  /** @throws ConduitError SUBSTRATE_UNAVAILABLE, RUNTIME_DIR, ADDON_MISSING, EACCES, ENOENT when this is not domain 0 */
  static async open({ log, ...options }: DomainZeroOptions): Promise<DomainZero> {
    const backend = selectBackend(options.backend)
    const localDir = options.runtimeDir ?? runtimeDirectory()
    // First: that is what starts the local hypervisor, which has the store of programs. On Xen it is for those within dom0.
    const local = await openEnvironment({ ...options, backend: 'local', runtimeDir: localDir })
    let environment = local
    let store: XenstoreClient | undefined
    let localStore: XenstoreClient | undefined
    try {
      localStore = await XenstoreClient.open(unixSocketTransport(join(localDir, XENSTORE_SOCKET_NAME)))
      if (backend === 'xen') {
        environment = await openEnvironment({ ...options, backend, loopback: async () => local })
        store = await XenstoreClient.open(xenStore(native))
      } else {
        store = localStore
      }
      const runtimeDir = backend === 'local' ? localDir : undefined
      const zero = new DomainZero({ backend, runtimeDir, environment, local, store, localStore, log })
      if (backend === 'xen') await zero.#giveOutNames()
      await zero.#followHostId()
      return zero
    } catch (error) {
      await Promise.all([store?.close(), localStore?.close()])
      await Promise.all([environment.close(), local.close()])
      throw explained(error)
    }
  }

  private constructor(parts: {
    backend: Backend
    runtimeDir: string | undefined
    environment: Conduit
    local: Conduit
    store: XenstoreClient
    localStore: XenstoreClient
    log: Logger
  }) {
    this.backend = parts.backend
    this.runtimeDir = parts.runtimeDir
    this.environment = parts.environment
    this.store = parts.store
    this.localStore = parts.localStore
    this.#local = parts.local
    this.#log = parts.log
    this.store.ref()
    this.store.onLost((error) => {
      this.#lost = error
      this.#log.warn('the store is gone: what runs goes on, nothing new is summoned until it is back')
    })
    this.store.onReconnect(() => {
      this.#lost = undefined
      this.#log.info('the store is back')
    })
  }

  /** This user's own folder for sockets between processes of this machine. */
  get socketFolder(): string {
    return this.runtimeDir ?? runtimeDirectory()
  }

  /** What the store calls this host; another store calls it otherwise. */
  get hostId(): string | undefined {
    return this.#hostId
  }

  onHostId(listener: () => void): void {
    this.#hostIdListeners.add(listener)
  }

  /** Why nothing can be summoned now; undefined when it can. */
  get problem(): string | undefined {
    return this.#lost === undefined ? undefined : `the store is gone: ${this.#lost.message}`
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#registrar?.close()
    this.store.unref()
    await Promise.all([this.store.close(), this.localStore.close()])
    await Promise.all([this.environment.close(), this.#local.close()])
  }

  /** Resolves when it is known, for the first time. */
  async #followHostId(): Promise<void> {
    const look = async (): Promise<void> => {
      const found = await this.store.readText(HOST_ID_PATH).catch(() => undefined)
      if (found === undefined || found === this.#hostId) return
      this.#hostId = found
      for (const listener of this.#hostIdListeners) listener()
    }
    await this.store.watch(HOST_ID_PATH, (path) => {
      // What lies below it is others' business.
      if (path === HOST_ID_PATH) void look()
    })
    await look()
  }

  /** @throws ConduitError EACCES where this is not domain 0 */
  async #giveOutNames(): Promise<void> {
    const onTakenOver = (error: ConduitError): void => {
      this.#registrar = undefined
      this.#log.warn('another registrar gives out the names of this host from now on', errorFields(error))
    }
    try {
      this.#registrar = await Registrar.start(this.store, { onTakenOver })
    } catch (error) {
      // One is enough, and it heeds what jitsud writes into the store.
      if (!isConduitError(error, 'EADDRINUSE')) throw error
      this.#log.info('names are given out by the registrar that runs already')
    }
  }
}

const HINT = 'jitsud runs in dom0, as root, beside xenstored; CONDUIT_BACKEND=local serves the programs of this user'

function explained(error: unknown): unknown {
  if (!isConduitError(error, 'EACCES') && !isConduitError(error, 'ENOENT')) return error
  const { code, message, errno, syscall, endpoint } = error
  return new ConduitError(code, message, { errno, syscall, endpoint, hint: HINT, cause: error })
}
