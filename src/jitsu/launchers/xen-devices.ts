// Network and disk of a domain: the nodes by which dom0's kernel and the guest's find each other, and dom0's hotplug scripts, as xl's
// (xen:tools/libs/light/libxl_device.c). xl finds them too, so that `xl destroy` takes them away.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { domainPath } from '../../../protocol/conduit.js'
import { type Domid, domid as domidOf } from '../../../protocol/xen.js'
import type { Permission } from '../../../protocol/xenstore-permissions.js'
import { ConduitError, isConduitError } from '../../errors.js'
import type { XenstoreClient } from '../../xenstore/client.js'
import type { MonotonicClock } from '../monotonic-clock.js'
import { untilStoreShows } from '../readiness/store-watch.js'
import { allOf } from './all-of.js'
import { run } from './command-run.js'
import type { DeviceSpec } from './xen-device-spec.js'

/** What a kernel or a script may take, as with xl (xen:tools/libs/light/libxl_internal.h, LIBXL_HOTPLUG_TIMEOUT). */
export const DEVICE_MS = 10_000

const DOM0 = domidOf(0)
/** xen/include/public/io/xenbus.h. */
const STATE = { initialising: '1', initWait: '2', closing: '5', closed: '6' } as const
/** Where the kernel shows its back ends (linux:drivers/xen/xenbus/xenbus_probe_backend.c, backend_bus_id). */
const BUS = '/sys/bus/xen-backend/devices'
const MODULES = { vif: 'xen-netback', vbd: 'xen-blkback' } as const

export interface XenDevicesParts {
  readonly store: XenstoreClient
  readonly environment: NodeJS.ProcessEnv
  readonly clock: MonotonicClock
  readonly domid: Domid
  readonly specs: readonly DeviceSpec[]
  log(line: string): void
}

interface DevicePaths {
  readonly front: string
  readonly back: string
  /** Where xl looks for what a domain has. */
  readonly listed: string
}

export class XenDevices {
  readonly #parts: XenDevicesParts
  /** One thing at a time: what is half attached is not detached yet. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: XenDevicesParts) {
    this.#parts = parts
  }

  /** All of them, at once. @throws ConduitError LAUNCHER; what was attached is to be detached */
  attach(): Promise<void> {
    return this.#alone(() => allOf(this.#parts.specs.map((spec) => this.#attach(spec))))
  }

  /** Those that are there, without asking the guest. Idempotent. @throws ConduitError LAUNCHER */
  detach(): Promise<void> {
    return this.#alone(() => allOf(this.#parts.specs.map((spec) => this.#detach(spec))))
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  #paths({ kind, number }: DeviceSpec): DevicePaths {
    const { domid } = this.#parts
    return {
      front: `${domainPath(domid)}/device/${kind}/${number}`,
      back: `${domainPath(DOM0)}/backend/${kind}/${domid}/${number}`,
      listed: `/libxl/${domid}/device/${kind}/${number}`,
    }
  }

  async #attach(spec: DeviceSpec): Promise<void> {
    const { store, domid } = this.#parts
    const paths = this.#paths(spec)
    // At once: a kernel looks at a device as soon as there is one.
    await store.transaction(async (transaction) => {
      const make = async (path: string, owner: Domid, reader: Domid, nodes: Record<string, string>): Promise<void> => {
        const permissions: Permission[] = [
          { access: 'n', domid: owner },
          { access: 'r', domid: reader },
        ]
        // Pipelined, in this order: nodes have the permissions of the one above.
        await Promise.all([
          store.mkdir(path, { transaction }),
          store.setPermissions(path, permissions, { transaction }),
          ...Object.entries(nodes).map(([name, value]) => store.write(`${path}/${name}`, value, { transaction })),
        ])
      }
      const { initialising: state } = STATE
      const front = { ...spec.front, backend: paths.back, 'backend-id': '0', state }
      const back = { ...spec.back, frontend: paths.front, 'frontend-id': String(domid), online: '1', state }
      await make(paths.front, domid, DOM0, front)
      await make(paths.back, DOM0, domid, back)
      await store.write(`${paths.listed}/frontend`, paths.front, { transaction })
      await store.write(`${paths.listed}/backend`, paths.back, { transaction })
    })
    const { kind } = spec
    await this.#until(`${paths.back}/state`, (state) => state === STATE.initWait, {
      tried: `${kind} ${spec.number} of domain ${domid} has no back end`,
      hint: `modprobe ${MODULES[kind]}`,
    })
    await this.#script(spec, kind === 'vif' ? 'online' : 'add')
  }

  async #detach(spec: DeviceSpec): Promise<void> {
    const { store, domid } = this.#parts
    const { front, back, listed } = this.#paths(spec)
    const there = await store.transaction(async (transaction) => {
      const state = await store.readText(`${back}/state`, { transaction }).catch(ifMissing)
      // Without its other side a back end closes at once, whatever the guest does.
      await store.remove(front, { transaction }).catch(ifMissing)
      if (state === undefined) return false
      await store.write(`${back}/online`, '0', { transaction })
      if (state !== STATE.closed) await store.write(`${back}/state`, STATE.closing, { transaction })
      return true
    })
    if (there) {
      const closed = (state: string | undefined): boolean => state === undefined || state === STATE.closed
      // A kernel that does not close it goes without: its nodes are removed all the same.
      const waited = { tried: `${spec.kind} ${spec.number} of domain ${domid} does not close`, hint: 'see dmesg' }
      if (this.#served(spec)) {
        await this.#until(`${back}/state`, closed, waited).catch(({ message }) => this.#parts.log(message))
      }
      await this.#script(spec, spec.kind === 'vif' ? 'offline' : 'remove').catch(({ message }) =>
        this.#parts.log(message),
      )
    }
    for (const path of [back, listed]) await store.remove(path).catch(ifMissing)
    await this.#removeEmpty(spec)
  }

  /** A back end lets go of a device whose other side has gone, without a word in the store. */
  #served({ kind, number }: DeviceSpec): boolean {
    return !existsSync(BUS) || existsSync(join(BUS, `${kind}-${this.#parts.domid}-${number}`))
  }

  /** The folder of a domain's devices goes with the last of them. */
  async #removeEmpty({ kind }: DeviceSpec): Promise<void> {
    const { store, domid } = this.#parts
    const folder = `${domainPath(DOM0)}/backend/${kind}/${domid}`
    const left = await store.directory(folder).catch(ifMissing)
    if (left?.length === 0) await store.remove(folder).catch(ifMissing)
  }

  /** @throws ConduitError LAUNCHER when it takes too long */
  async #until(
    path: string,
    fits: (value: string | undefined) => boolean,
    { tried, hint }: { readonly tried: string; readonly hint: string },
  ): Promise<void> {
    const { store, clock } = this.#parts
    const late = new AbortController()
    const error = new ConduitError('LAUNCHER', `${tried} after ${DEVICE_MS / 1000} s`, { hint })
    const timer = clock.after(DEVICE_MS, () => late.abort(error))
    try {
      const look = async (): Promise<boolean> => fits(await store.readText(path).catch(ifMissing))
      await untilStoreShows(store, { path, signal: late.signal, look })
    } finally {
      timer.cancel()
    }
  }

  /** The variables of xl's (xen:tools/libs/light/libxl_linux.c, get_hotplug_env). */
  async #script(spec: DeviceSpec, action: string): Promise<void> {
    const { environment, domid, log } = this.#parts
    const { kind, number, script } = spec
    const name = kind === 'vif' ? { vif: spec.back.vifname ?? `vif${domid}.${number}` } : {}
    const variables = {
      script,
      XENBUS_TYPE: kind,
      XENBUS_PATH: this.#paths(spec).back,
      XENBUS_BASE_PATH: 'backend',
      ...name,
    }
    const args = kind === 'vif' ? [action, 'type_if=vif'] : [action]
    await run({ program: script, environment: { ...environment, ...variables } }, args, { log })
  }
}

function ifMissing(error: unknown): undefined {
  if (!isConduitError(error, 'ENOENT')) throw error
  return undefined
}
