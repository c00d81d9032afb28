// A port and its pages asked for together: every order in which the two answers can come, and every outcome.
import { expect } from 'chai'
import { evtchnPort } from '../../protocol/xen.js'
import { ConduitError } from '../../src/errors.js'
import type { EventChannel, Pages, UnmapNotify } from '../../src/substrate/substrate.js'
import { portAndPages } from '../../src/vchan/port-and-pages.js'

const PORT = evtchnPort(5)

/** A substrate that answers when it is told to, and knows what is open. */
class Answering {
  readonly open = new Set<string>()
  readonly asked: string[] = []
  readonly #settle = new Map<string, (ok: boolean) => void>()

  listen(): Promise<EventChannel> {
    return this.#answer('port', { port: PORT, close: async () => void this.open.delete('port') } as EventChannel)
  }

  /** As the contract says: pages only with their port. */
  async share({ port }: UnmapNotify): Promise<Pages> {
    const pages = { close: () => void this.open.delete('pages') } as Pages
    const [granted, notified] = await Promise.allSettled([this.#answer('pages', pages), port])
    if (granted.status === 'rejected') throw granted.reason
    if (notified.status === 'fulfilled') return granted.value
    pages.close()
    throw notified.reason
  }

  answer(what: 'port' | 'pages', ok: boolean): void {
    this.#settle.get(what)?.(ok)
  }

  #answer<T>(what: string, value: T): Promise<T> {
    this.asked.push(what)
    return new Promise((resolve, reject) => {
      this.#settle.set(what, (ok) => {
        if (ok) this.open.add(what)
        if (ok) resolve(value)
        else reject(new ConduitError(what === 'port' ? 'EVTCHN_INVALID' : 'GRANT_LIMIT', what))
      })
    })
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a port and its pages', () => {
  it('are asked for together', async () => {
    const substrate = new Answering()
    const both = portAndPages(0, substrate.listen(), (onUnmap) => substrate.share(onUnmap))
    expect(substrate.asked).to.deep.equal(['port', 'pages'])
    substrate.answer('pages', true)
    substrate.answer('port', true)
    expect((await both).event.port).to.equal(PORT)
  })

  for (const order of [['port', 'pages'] as const, ['pages', 'port'] as const]) {
    for (const [port, pages] of [
      [true, true],
      [true, false],
      [false, true],
      [false, false],
    ] as const) {
      const outcome = `${port ? 'a' : 'no'} port and ${pages ? '' : 'no '}pages`
      it(`${outcome}, the ${order[0]} first: both or nothing`, async () => {
        const substrate = new Answering()
        const both = portAndPages(4, substrate.listen(), (onUnmap) => substrate.share(onUnmap))
        const settled = both.then(
          () => 'both',
          (error: ConduitError) => error.code,
        )
        for (const what of order) {
          substrate.answer(what, what === 'port' ? port : pages)
          await turn()
        }
        const failure = port ? 'GRANT_LIMIT' : 'EVTCHN_INVALID'
        expect(await settled).to.equal(port && pages ? 'both' : failure)
        expect([...substrate.open]).to.deep.equal(port && pages ? [...order] : [])
      })
    }
  }
})
