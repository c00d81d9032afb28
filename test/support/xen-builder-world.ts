// What tests of the domain builder start from and come back to: tiny kernels on disk, a builder with faults, and everything that a
// domain can leave behind. In dom0 of the testbed only.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { config, expect } from 'chai'
import type { XenLauncherConfig } from '../../protocol/jitsud-config.js'
import type { LaunchContext } from '../../src/jitsu/launcher.js'
import type { BuildRequest } from '../../src/jitsu/launchers/builder-messages.js'
import { BuilderProcess } from '../../src/jitsu/launchers/builder-process.js'
import { builderPath } from '../../src/jitsu/launchers/builder-program.js'
import { DomainBuilder } from '../../src/jitsu/launchers/domain-builder.js'
import { XenLauncher } from '../../src/jitsu/launchers/xen-launcher.js'
import { monotonicClock } from '../../src/jitsu/monotonic-clock.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { servicesOf } from './directory-world.js'
import { tinyGuest } from './tiny-guest.js'
import { here, openStore } from './xen-machine.js'

// What differs is all that a failure has to say.
config.truncateThreshold = 0

/** Domains, nodes of the store, and free memory: equal before and after. */
export interface MachineState {
  readonly domains: string
  readonly nodes: readonly string[]
  readonly freeMiB: number
}

export class XenBuilderWorld {
  readonly store: XenstoreClient
  readonly folder = mkdtempSync('/tmp/xen-builder-')
  readonly kernel = join(this.folder, 'rests.elf')
  readonly lines: string[] = []
  readonly #builders: DomainBuilder[] = []
  readonly #launchers: XenLauncher[] = []

  private constructor(store: XenstoreClient) {
    this.store = store
    store.ref()
    writeFileSync(this.kernel, tinyGuest())
  }

  static async start(): Promise<XenBuilderWorld> {
    return new XenBuilderWorld(await openStore())
  }

  /** A kernel that ends itself. */
  ending(ends: 'poweroff' | 'reboot' | 'crash'): string {
    const path = join(this.folder, `${ends}.elf`)
    writeFileSync(path, tinyGuest({ ends }))
    return path
  }

  /** @param faults `fail:STEP` or `stop:STEP` */
  builder(faults = ''): DomainBuilder {
    const builder = new DomainBuilder(this.#options(faults))
    this.#builders.push(builder)
    return builder
  }

  /** One run of it. */
  process(faults = ''): BuilderProcess {
    return new BuilderProcess(this.#options(faults))
  }

  request(name: string, more: Partial<BuildRequest> = {}): BuildRequest {
    return { kernel: this.kernel, name, type: 'pv', memoryKiB: 4096, vcpus: 1, cmdline: '', ...more }
  }

  launcher(more: object = {}, builder: DomainBuilder = this.builder()): XenLauncher {
    const [service] = servicesOf({
      name: 'www',
      launcher: { kind: 'xen', kernel: this.kernel, memory: '4MiB', ...more },
    })
    const launcher = new XenLauncher(service!.launcher as XenLauncherConfig, {
      builder,
      store: this.store,
      environment: process.env,
      clock: monotonicClock,
      onClose: async () => undefined,
    })
    this.#launchers.push(launcher)
    return launcher
  }

  context(service: string, more: Partial<LaunchContext> = {}): LaunchContext {
    return {
      service,
      signal: new AbortController().signal,
      created: async () => undefined,
      step: () => undefined,
      log: (line) => void this.lines.push(line),
      ...more,
    }
  }

  async names(): Promise<string[]> {
    const { output } = await here.run('xl list')
    return output
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(/\s+/)[0]!)
      .sort()
  }

  /** Folders that daemons make once and keep are no leftovers. */
  async state(): Promise<MachineState> {
    const nodes = (await here.run('xenstore-ls -f /')).output.split('\n').map((line) => line.split(' = ')[0]!)
    const backend = '/local/domain/0/backend'
    const kept = ['', '/libxl', '/vm', '/local', '/local/domain', backend, `${backend}/vif`, `${backend}/vbd`]
    const [, free] = /free_memory\s*:\s*([0-9]+)/.exec((await here.run('xl info')).output) ?? []
    return {
      domains: (await this.names()).join(' '),
      nodes: nodes.filter((node) => !kept.includes(node) && !node.startsWith('/conduit') && !node.startsWith('/tool')),
      freeMiB: Number(free),
    }
  }

  /**
   * Back at what it was, which may take a moment: Xen frees a domain's own structures when no processor looks at them any more
   * (xen:xen/common/domain.c, call_rcu).
   */
  async returnsTo(expected: MachineState, where = ''): Promise<void> {
    let state = await this.state()
    for (let looks = 0; looks < 50 && !isDeepStrictEqual(state, expected); looks++) state = await this.state()
    expect(state, where).to.deep.equal(expected)
  }

  async close(): Promise<void> {
    for (const launcher of this.#launchers) await launcher.close()
    for (const builder of this.#builders) await builder.close()
    await this.store.close()
    rmSync(this.folder, { recursive: true })
  }

  #options(faults: string) {
    return {
      program: builderPath(),
      environment: { ...process.env, CONDUIT_BUILDER_FAULTS: faults },
      log: (line: string) => void this.lines.push(line),
    }
  }
}
