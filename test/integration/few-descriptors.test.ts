// Processes that may open no more files: what they ask for fails by name, what they have goes on, and nobody is left with
// a descriptor or a mapping too many.
import { expect } from 'chai'
import { type Domid, domid, evtchnPort, gref } from '../../protocol/xen.js'
import type { LocalSubstrate } from '../../src/substrate/local/local-substrate.js'
import type { EventChannel } from '../../src/substrate/substrate.js'
import { AttachedProcess } from '../support/attached-process.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { type LocalWorld, localWorld, until } from '../support/local-world.js'
import { openFiles } from '../support/open-files.js'

const FEW = 64
const LIVE = 20
const REQUESTS = ['share', 'listen', 'bind', 'map', 'xenstore'] as const

const isPages = (target: string): boolean => target.startsWith('/memfd:')
const isSocket = (target: string): boolean => target.startsWith('socket:')

describe('a process out of descriptors', () => {
  let world: LocalWorld
  let substrate: LocalSubstrate
  let child: AttachedProcess
  let peer: Domid

  beforeEach(async () => {
    world = localWorld()
    substrate = await world.attach()
    child = new AttachedProcess(FEW)
    peer = domid((await child.tell({ do: 'attach', directory: world.directory })) as number)
  })
  afterEach(async () => {
    await child.kill()
    await world.close()
  })

  /** Everything that the hypervisor, this process and the child have open. */
  const everything = (): unknown => {
    const pids = [world.hypervisors()[0]!, process.pid, child.child.pid!]
    return pids.map((pid) => [...openFiles(pid)].filter(([, target]) => target !== '/dev/null'))
  }

  const tryAll = async (owner: LocalSubstrate): Promise<unknown[]> => {
    const port = await owner.listen(peer)
    const share = await owner.share(peer, 1)
    const outcomes: unknown[] = []
    for (const request of REQUESTS) {
      const number = request === 'bind' ? port.port : share.grefs[0]!
      const attempt = child.tell({ do: 'try', request, peer: owner.domid, number })
      outcomes.push(
        await attempt.then(
          () => 'done',
          (error: unknown) => error,
        ),
      )
    }
    // In this order the hypervisor hears of it.
    await port.close()
    share.close()
    return outcomes
  }

  /** The next time `channel` fires with the byte LIVE of `bytes` cleared. */
  const death = (channel: EventChannel, bytes: ArrayBuffer): Promise<void> =>
    new Promise((resolve) => {
      channel.onEvent(() => {
        if (new Uint8Array(bytes)[LIVE] === 0) resolve()
        return 0
      })
    })

  it('gets EMFILE and a hint for what it asks, and everything once there is room; nothing leaks anywhere', async () => {
    const stranger = await world.attach()
    // Once before, so that the two know each other.
    expect(await tryAll(substrate)).to.deep.equal(REQUESTS.map(() => 'done'))
    await until(() => {
      const held = [...openFiles(world.hypervisors()[0]!).values()]
      // Its two listeners and three control connections; pages, and what was given back before them, are gone.
      return held.filter(isSocket).length === 2 + 3 && !held.some(isPages)
    })
    const before = everything()
    for (const [leave, fail] of [
      [0, REQUESTS],
      [1, ['listen', 'bind']],
    ] as const) {
      await child.tell({ do: 'fill', leave })
      const outcomes = await tryAll(substrate)
      const failures = REQUESTS.filter((_, index) => outcomes[index] !== 'done')
      expect(failures, `${leave} left`).to.deep.equal([...fail])
      for (const outcome of outcomes.filter((one) => one !== 'done')) {
        expect(outcome).to.include({ code: 'EMFILE', errno: 'EMFILE' })
        expect(outcome).to.have.property('hint').that.contains('ulimit -n')
      }
      await child.tell({ do: 'free' })
      expect(await tryAll(substrate)).to.deep.equal(REQUESTS.map(() => 'done'))
    }
    await until(() => JSON.stringify(everything()) === JSON.stringify(before))
    expect(await child.tell({ do: 'domid' })).to.equal(peer)
    expect(await tryAll(stranger)).to.deep.equal(REQUESTS.map(() => 'done'))
  })

  it('goes on with the pages and ports that it has', async () => {
    const port = await substrate.listen(peer)
    const share = await substrate.share(peer, 1)
    await child.tell({ do: 'bind', peer: substrate.domid, port: port.port })
    await child.tell({ do: 'map', peer: substrate.domid, grefs: [...share.grefs], byteOffset: LIVE })
    await child.tell({ do: 'poke', offset: LIVE, value: 1 })
    await child.tell({ do: 'fill', leave: 0 })
    await tryAll(substrate)
    await tryAll(await world.attach())
    const { events } = child
    port.notify()
    await until(() => child.events > events)
    new Uint8Array(share.buffer)[9] = 99
    expect(await child.tell({ do: 'peek', offset: 9 })).to.equal(99)
    // Its death is still noticed.
    expect(new Uint8Array(share.buffer)[LIVE]).to.equal(1)
    const dead = death(port, share.buffer)
    await child.kill()
    await dead
  })

  it('that could not be told of a peer meets it at the next request, and notices its death', async () => {
    const owner = new AttachedProcess()
    const ownerDomid = (await owner.tell({ do: 'attach', directory: world.directory })) as number
    const { grefs, port } = (await owner.tell({ do: 'share', peer, byteOffset: LIVE })) as {
      grefs: number[]
      port: number
    }
    await owner.tell({ do: 'poke', offset: LIVE, value: 1 })
    await child.tell({ do: 'fill', leave: 0 })
    const refused = await rejectionOf(child.tell({ do: 'bind', peer: ownerDomid, port }))
    expect(refused).to.include({ code: 'EMFILE' })
    await child.tell({ do: 'free' })
    await child.tell({ do: 'bind', peer: ownerDomid, port })
    await child.tell({ do: 'map', peer: ownerDomid, grefs, byteOffset: LIVE + 1 })
    expect(await child.tell({ do: 'peek', offset: LIVE })).to.equal(1)
    const { events } = child
    await owner.kill()
    await until(() => child.events > events)
    expect(await child.tell({ do: 'peek', offset: LIVE })).to.equal(0)
  })

  it('that shares with a peer it could not be told of resets both ends rather than leaving one waiting', async () => {
    const answer = await child.tell({ do: 'share', peer: substrate.domid, byteOffset: LIVE })
    const { grefs, port } = answer as { grefs: number[]; port: number }
    const bindAndMap = async () => {
      const channel = await substrate.bind(peer, evtchnPort(port))
      try {
        const onUnmap = { byteOffset: LIVE + 1, port: channel.port }
        const mapping = await substrate.map(peer, grefs.map(gref), { access: 'rw', onUnmap })
        return { channel, mapping, gone: death(channel, mapping.buffer) }
      } catch (error) {
        await channel.close()
        throw error
      }
    }
    await child.tell({ do: 'poke', offset: LIVE, value: 1 })
    await child.tell({ do: 'poke', offset: LIVE + 1, value: 1 })
    await child.tell({ do: 'fill', leave: 0 })
    try {
      const { channel, gone } = await bindAndMap()
      await gone
      await until(async () => (await child.tell({ do: 'peek', offset: LIVE + 1 })) === 0)
      await channel.close()
    } catch (error) {
      // The hang-up was noticed before the answer.
      expect(error).to.have.property('code').that.is.oneOf(['EVTCHN_INVALID', 'GRANT_INVALID'])
    }
    await child.tell({ do: 'free' })
    // From now on as if nothing had been.
    const { mapping, gone } = await bindAndMap()
    new Uint8Array(mapping.buffer)[LIVE] = 1
    await child.kill()
    await gone
  })

  it('attaches again when the hypervisor was lost, as soon as there is room', async () => {
    await child.tell({ do: 'fill', leave: 0 })
    const [pid] = world.hypervisors()
    process.kill(pid!, 'SIGKILL')
    await until(() => !world.hypervisors().includes(pid!))
    // Somebody else starts the next one.
    await until(() =>
      substrate.xenstore().then(
        (store) => store.close() === undefined,
        () => false,
      ),
    )
    await child.tell({ do: 'free' })
    expect(await tryAll(substrate)).to.deep.equal(REQUESTS.map(() => 'done'))
    expect(await child.tell({ do: 'domid' })).to.equal(peer)
  })

  it('cannot attach, and hears why at once', async () => {
    await child.tell({ do: 'detach' })
    const alone = localWorld()
    for (const [leave, directory] of [
      [0, world.directory],
      [2, alone.directory],
    ] as const) {
      await child.tell({ do: 'fill', leave })
      const refused = await rejectionOf(child.tell({ do: 'attach', directory }))
      expect(refused).to.include({ code: 'EMFILE', errno: 'EMFILE' })
      await child.tell({ do: 'free' })
    }
    await alone.close()
  })
})
