// The conduit name `jitsud` and clients that mean no good.
import { expect } from 'chai'
import { formatSummonReply, parseSummon, parseSummonReply } from '../../protocol/conduit.js'
import { domid } from '../../protocol/xen.js'
import type { Conduit } from '../../src/conduit/conduit.js'
import { ConduitError } from '../../src/errors.js'
import { JitsudNode, PATIENCE_MS, QUESTIONS_PER_DOMAIN } from '../../src/jitsu/jitsud-node.js'
import type { Service, Services } from '../../src/jitsu/summon.js'
import type { ConduitMessageSocket } from '../../src/vchan/message-socket.js'
import type { XenstoreClient } from '../../src/xenstore/client.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryWorld } from '../support/memory-world.js'

describe('the node jitsud', () => {
  let world: MemoryWorld
  let own: Conduit
  let node: JitsudNode
  let clock: ManualClock
  let store: XenstoreClient
  /** What a summon of `www` does. */
  let summon: Service['summon'] = async () => undefined

  const services = {
    byName: (name: string) =>
      name === 'www' ? { summon: (...given: Parameters<Service['summon']>) => summon(...given) } : undefined,
  } as unknown as Services

  beforeEach(async () => {
    world = await MemoryWorld.start()
    clock = new ManualClock()
    own = await world.environment()
    // Unlike the world's own, it comes back when the store does.
    store = await world.client(domid(0))
    node = await JitsudNode.listen({ conduit: own, store, processDomid: own.domid, services, clock })
  })
  afterEach(async () => {
    await node.close()
    await store.close()
    await world.close()
  })

  const ask = async (client: Conduit, text?: string, options: object = {}): Promise<ConduitMessageSocket> => {
    const socket = await client.connect('jitsud', { mode: 'message', ...options })
    socket.on('error', () => undefined)
    if (text !== undefined) socket.send(text)
    return socket
  }
  const answer = async (text: string): Promise<string | undefined> => {
    const socket = await ask(await world.environment(), text)
    const reply = await socket.receive().catch(() => undefined)
    socket.destroy()
    return reply?.toString()
  }

  it('answers with what became of it', async () => {
    expect(await answer('summon www')).to.equal('ready')
    expect(await answer('summon other')).to.equal('unknown')
    summon = async () => {
      throw new ConduitError('BOOT_TIMEOUT', 'too\nlate')
    }
    expect(await answer('summon www')).to.equal('failed BOOT_TIMEOUT too?late')
    summon = async () => undefined
  })

  it('knows nothing of a question that is none', async () => {
    for (const text of [
      '',
      'www',
      'summon',
      'summon ',
      'summon WWW',
      'summon a.b',
      'summon www\n',
      'summon jitsud x',
    ]) {
      expect(await answer(text), JSON.stringify(text)).to.equal('unknown')
    }
    expect(await answer('x'.repeat(1025))).to.equal(undefined)
  })

  it('drops who asks nothing, or does not go', async () => {
    const silent = await ask(await world.environment())
    const closed = new Promise((resolve) => silent.once('close', resolve))
    silent.receive().catch(() => undefined)
    await eventually(() => clock.waiting > 0)
    clock.advance(PATIENCE_MS)
    await closed
    const staying = await ask(await world.environment(), 'summon www', { allowHalfOpen: true })
    expect((await staying.receive())?.toString()).to.equal('ready')
    await eventually(() => clock.waiting > 0)
    clock.advance(PATIENCE_MS)
    // Its own side is still open: that the other is gone is seen there.
    await eventually(() => clock.waiting === 0)
    staying.destroy()
    expect(node.counters).to.deep.equal({ answered: 1, dropped: 1, refused: 0 })
  })

  it('hears that a client has gone, or says more than it may, and waits for the service no longer', async () => {
    for (const end of [
      (socket: ConduitMessageSocket) => socket.destroy(),
      (socket: ConduitMessageSocket) => socket.send('more'),
    ]) {
      let aborted = false
      summon = (_by, options) =>
        new Promise((_, reject) => {
          options?.signal?.addEventListener('abort', () => {
            aborted = true
            reject(options.signal?.reason)
          })
        })
      const socket = await ask(await world.environment(), 'summon www')
      await turns()
      end(socket)
      await eventually(() => aborted)
      socket.destroy()
    }
    summon = async () => undefined
  })

  it(`takes ${QUESTIONS_PER_DOMAIN} questions of one domain at a time, and those of others all the same`, async () => {
    let done!: () => void
    const booting = new Promise<void>((resolve) => (done = resolve))
    summon = () => booting
    const greedy = await world.environment()
    const sockets = await Promise.all(Array.from({ length: QUESTIONS_PER_DOMAIN + 8 }, () => ask(greedy, 'summon www')))
    await eventually(() => node.counters.refused === 8)
    const other = await ask(await world.environment(), 'summon www')
    done()
    expect((await other.receive())?.toString()).to.equal('ready')
    for (const socket of [...sockets, other]) socket.destroy()
    summon = async () => undefined
  })

  it('is one a store, and its name nobody else’s', async () => {
    const second = { conduit: await world.environment(), store, services, clock }
    await expectCode(JitsudNode.listen(second), 'EADDRINUSE')
    await node.close()
    await expectCode(second.conduit.createServer().listen('jitsud'), 'EACCES')
  })

  it('listens again when the store is a new one', async () => {
    const client = await world.environment()
    await world.restartStore()
    const socket = await eventually(() =>
      ask(client, 'summon www')
        .catch(() => undefined)
        .finally(() => clock.advance(1000)),
    )
    expect((await socket.receive())?.toString()).to.equal('ready')
    socket.destroy()
  })
})

describe('a summon', () => {
  it('is read strictly, either way', () => {
    expect(parseSummon('summon www')).to.equal('www')
    expect(parseSummon('summon 42')).to.equal(undefined)
    expect(parseSummonReply('ready')).to.deep.equal({ kind: 'ready' })
    const failed = { kind: 'failed', code: 'BOOT_FAILED', reason: 'no' } as const
    expect(parseSummonReply(formatSummonReply(failed))).to.deep.equal(failed)
    for (const text of ['', 'READY', 'failed', 'failed EACCES no', 'failed BOOT_FAILED', 'ready ']) {
      expect(parseSummonReply(text), text).to.equal(undefined)
    }
    const long = parseSummonReply(`failed BOOT_FAILED ${'\u001b['.repeat(900)}`)
    expect(long).to.have.property('reason').with.length(400)
    expect(JSON.stringify(long)).to.not.include('u001b')
  })
})
