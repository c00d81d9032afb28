// The local hypervisor as real processes see it: started once, gone when unused, and lost without harm.
import { chmodSync, existsSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Domid, domid, evtchnPort, gref } from '../../protocol/xen.js'
import type { ConduitError } from '../../src/errors.js'
import { native } from '../../src/native.js'
import type { LocalSubstrate } from '../../src/substrate/local/local-substrate.js'
import { AttachedProcess } from '../support/attached-process.js'
import { eventually } from '../support/eventually.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { type LocalWorld, localWorld, until } from '../support/local-world.js'

const LIVE = 21

describe('local hypervisor', () => {
  let world: LocalWorld
  let children: AttachedProcess[]

  function start(count = 1): AttachedProcess[] {
    const started = Array.from({ length: count }, () => new AttachedProcess())
    children.push(...started)
    return started
  }

  beforeEach(() => {
    world = localWorld()
    children = []
  })
  afterEach(async () => {
    await Promise.all(children.map((child) => child.kill()))
    await world.close()
  })

  async function attachedChild(): Promise<{ substrate: LocalSubstrate; child: AttachedProcess; peer: Domid }> {
    const substrate = await world.attach()
    const child = start()[0]!
    const peer = (await child.tell({ do: 'attach', directory: world.directory })) as number
    return { substrate, child, peer: domid(peer) }
  }

  /** A child that has granted us a page, whose byte LIVE goes with it, and a port. */
  async function sharedByChild() {
    const { substrate, child, peer } = await attachedChild()
    const answer = await child.tell({ do: 'share', peer: substrate.domid, byteOffset: LIVE })
    const { grefs, port } = answer as { grefs: number[]; port: number }
    return { substrate, child, peer, grefs, port }
  }

  /** A child that has mapped a page of ours, whose byte 20 goes with it, and bound a port. */
  async function mappedByChild() {
    const { substrate, child, peer } = await attachedChild()
    const port = await substrate.listen(peer)
    const share = await substrate.share(peer, 1)
    await child.tell({ do: 'bind', peer: substrate.domid, port: port.port })
    await child.tell({ do: 'map', peer: substrate.domid, grefs: [...share.grefs], byteOffset: 20 })
    return { child, port, share }
  }

  /** Kill the one hypervisor, and wait until the kernel has closed its sockets. */
  async function killHypervisor(): Promise<number> {
    const [pid] = world.hypervisors()
    process.kill(pid!, 'SIGKILL')
    await until(() => !world.hypervisors().includes(pid!))
    return pid!
  }

  it('is one, however many processes start at once; each gets a domid of its own', async () => {
    const started = start(100)
    const domids = await Promise.all(started.map((child) => child.tell({ do: 'attach', directory: world.directory })))
    expect(new Set(domids).size).to.equal(100)
    expect(world.hypervisors()).to.have.length(1)
  })

  it('leaves when its last client has gone, and leaves no socket behind', async () => {
    const [child] = start()
    await child!.tell({ do: 'attach', directory: world.directory })
    await child!.kill()
    await until(() => world.hypervisors().length === 0)
    expect(readdirSync(world.directory)).to.deep.equal(['lock'])
  })

  it('holds no descriptor, terminal or folder of the process that started it', async () => {
    await world.attach()
    const [pid] = world.hypervisors()
    expect(readlinkSync(`/proc/${pid}/cwd`)).to.equal('/')
    for (const fd of [0, 1, 2]) expect(readlinkSync(`/proc/${pid}/fd/${fd}`)).to.equal('/dev/null')
  })

  it('replaces sockets that a killed one left', async () => {
    for (const name of ['control', 'socket']) {
      native().closeFd(native().unixListen(join(world.directory, name), false))
      expect(existsSync(join(world.directory, name))).to.equal(true)
    }
    const substrate = await world.attach()
    expect(substrate.domid).to.be.greaterThan(0)
  })

  it('takes a mark of handed-out domids that is no number for none', async () => {
    native().closeFd(native().unixListen(join(world.directory, 'control'), false))
    writeFileSync(join(world.directory, 'next-domid'), 'garbage')
    expect((await world.attach()).domid).to.equal(1)
  })

  describe('killed with SIGKILL', () => {
    it('gives every process its domid back, and newcomers other ones', async () => {
      const started = start(3)
      const before = await Promise.all(started.map((child) => child.tell({ do: 'attach', directory: world.directory })))
      const old = await killHypervisor()
      const [newcomer] = start()
      const fresh = await newcomer!.tell({ do: 'attach', directory: world.directory })
      await until(() => world.hypervisors().length === 1)
      expect(world.hypervisors()).to.not.include(old)
      expect(await Promise.all(started.map((child) => child.tell({ do: 'domid' })))).to.deep.equal(before)
      expect(before).to.not.include(fresh)
    })

    it('is followed by another in a directory made anew, where that was removed meanwhile', async () => {
      const substrate = await world.attach()
      const { domid: before } = substrate
      rmSync(world.directory, { recursive: true })
      await killHypervisor()
      await until(() =>
        substrate.xenstore().then(
          (store) => store.close() === undefined,
          () => false,
        ),
      )
      expect(statSync(world.directory).mode & 0o777).to.equal(0o700)
      expect(substrate.domid).to.equal(before)
    })

    it('is not looked for where others could have put one; whoever asks once that is mended is served', async () => {
      const substrate = await world.attach()
      chmodSync(world.directory, 0o755)
      await killHypervisor()
      const refusal = await eventually(async () => {
        const error = (await rejectionOf(substrate.xenstore())) as ConduitError
        return error.cause === undefined ? undefined : error
      })
      expect(refusal).to.have.property('code', 'SUBSTRATE_LOST')
      expect(refusal.cause).to.have.property('code', 'RUNTIME_DIR')
      expect(world.hypervisors()).to.deep.equal([])
      chmodSync(world.directory, 0o700)
      ;(await substrate.xenstore()).close()
    })

    it('does not touch pages and ports in use', async () => {
      const { substrate, child, peer, grefs, port } = await sharedByChild()
      const channel = await substrate.bind(peer, evtchnPort(port))
      const pages = await substrate.map(peer, grefs.map(gref), { access: 'rw' })
      await killHypervisor()
      const kicked = new Promise<void>((resolve) => {
        channel.onEvent(() => {
          resolve()
          return 0
        })
      })
      await child.tell({ do: 'poke', offset: 100, value: 77 })
      await kicked
      expect(new Uint8Array(pages.buffer)[100]).to.equal(77)
    })

    it('knows shares and ports that were not mapped or bound yet once their owner is back', async () => {
      const { substrate, child, peer, grefs, port } = await sharedByChild()
      await child.tell({ do: 'poke', offset: 5, value: 55 })
      await killHypervisor()
      // The owner may come back after us: until then neither pages nor port are known.
      const once = <Value>(ask: () => Promise<Value>) => eventually(() => ask().catch(() => undefined))
      const mapped = await once(() => substrate.map(peer, grefs.map(gref), { access: 'rw' }))
      expect(new Uint8Array(mapped.buffer)[5]).to.equal(55)
      await once(() => substrate.bind(peer, evtchnPort(port)))
    })

    it('leaves the deaths of peers to be noticed: the byte is cleared and the port fires', async () => {
      const { child, port, share } = await mappedByChild()
      await child.tell({ do: 'poke', offset: 20, value: 1 })
      await killHypervisor()
      const kicked = new Promise<void>((resolve) => {
        port.onEvent(() => {
          if (new Uint8Array(share.buffer)[20] === 0) resolve()
          return 0
        })
      })
      expect(new Uint8Array(share.buffer)[20]).to.equal(1)
      await child.kill()
      await kicked
      expect(new Uint8Array(share.buffer)[20]).to.equal(0)
    })
  })

  describe('death of a process', () => {
    it('of the owner clears its byte in the mapper and kicks the mapper', async () => {
      const { substrate, child, peer, grefs, port } = await sharedByChild()
      await child.tell({ do: 'poke', offset: LIVE, value: 1 })
      const channel = await substrate.bind(peer, evtchnPort(port))
      const pages = await substrate.map(peer, grefs.map(gref), { access: 'rw' })
      const kicked = new Promise<void>((resolve) => {
        channel.onEvent(() => {
          if (new Uint8Array(pages.buffer)[LIVE] === 0) resolve()
          return 0
        })
      })
      await child.kill()
      await kicked
    })

    it('of a mapper that had unmapped before clears nothing', async () => {
      const { child, port, share } = await mappedByChild()
      await child.tell({ do: 'unmap' })
      // The hypervisor has passed the news on before it answers anything later.
      await child.tell({ do: 'detach' })
      new Uint8Array(share.buffer)[20] = 1
      const fired = new Promise<void>((resolve) => {
        port.onEvent(() => {
          resolve()
          return 0
        })
      })
      await child.kill()
      await fired
      expect(new Uint8Array(share.buffer)[20]).to.equal(1)
    })
  })
})
