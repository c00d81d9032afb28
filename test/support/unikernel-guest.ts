// A guest of unikernel/ in the testbed, from inside dom0: made by xl as anybody makes one, ready when its own key says so.
import { writeFileSync } from 'node:fs'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { unikernelImage } from '../../testbed/unikernel-images.js'
import { here, nodeAppears } from './xen-machine.js'

export interface UnikernelOptions {
  readonly type: 'pv' | 'pvh'
  /** Which application: the image is conduit-APP.elf. */
  readonly app: string
  /** The guest's command line. */
  readonly settings: string
}

/** `xen/include/public/sched.h`, SHUTDOWN_* */
export const SHUTDOWN = { poweroff: 0, reboot: 1, crash: 3 } as const

let created = 0

export class UnikernelGuest {
  readonly domid: number
  readonly #store: XenstoreClient

  private constructor(domid: number, store: XenstoreClient) {
    this.domid = domid
    this.#store = store
  }

  /** A domain that runs, whatever it does. One that ends by itself stays, with its reason, until it is destroyed. */
  static async start(store: XenstoreClient, { type, app, settings }: UnikernelOptions): Promise<UnikernelGuest> {
    created += 1
    const name = `unikernel-${process.pid}-${created}`
    const lines = [
      `name = "${name}"`,
      `type = "${type}"`,
      `kernel = "${unikernelImage(app)}"`,
      'memory = 4',
      'vcpus = 1',
      `cmdline = "${settings}"`,
      ...['poweroff', 'reboot', 'crash'].map((event) => `on_${event} = "preserve"`),
    ]
    writeFileSync(`/tmp/${name}.cfg`, lines.join('\n'))
    const { status, errors } = await here.run(`xl create -q -e /tmp/${name}.cfg`)
    if (status !== 0) throw new Error(`xl create: ${errors}`)
    const { output } = await here.run(`xl domid ${name}`)
    return new UnikernelGuest(Number(output.trim()), store)
  }

  /** One that serves. */
  static async create(store: XenstoreClient, options: UnikernelOptions): Promise<UnikernelGuest> {
    const guest = await UnikernelGuest.start(store, options)
    await Promise.race([
      nodeAppears(store, guest.path('data/jitsu/ready')),
      guest.ended().then((reason) => {
        throw new Error(`the guest ended for reason ${reason} before it served`)
      }),
    ])
    return guest
  }

  /** Of something of the guest's own in the store. */
  path(relative: string): string {
    return `/local/domain/${this.domid}/${relative}`
  }

  /** Why it has ended, as a number of `xen/include/public/sched.h`, once it has. */
  async ended(): Promise<number> {
    for await (const _ of this.#store.watches('@releaseDomain')) {
      const { output } = await here.run(`xl list -v ${this.domid}`)
      // Behind the uuid; a dash while it runs.
      const reason = /[0-9a-f-]{36}\s+(\d+)/.exec(output)?.[1]
      if (reason !== undefined) return Number(reason)
    }
    throw new Error('the store ended first')
  }

  async destroy(): Promise<void> {
    await here.run(`xl destroy ${this.domid}`)
  }
}
