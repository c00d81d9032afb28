// Connections within one domain over a substrate that has none: two machines in one process stand for Xen and for the local
// hypervisor of one of its domains.
import { once } from 'node:events'
import { expect } from 'chai'
import { type Domid, domid } from '../../protocol/xen.js'
import { Conduit } from '../../src/conduit/conduit.js'
import type { StreamConnectOptions } from '../../src/conduit/connect-options.js'
import { ConduitError } from '../../src/errors.js'
import type { Substrate } from '../../src/substrate/substrate.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import { turns } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { ManualClock } from '../support/manual-clock.js'
import { MemoryWorld } from '../support/memory-world.js'

/** The same domain for another process of it, whose end is not the domain's; as on Xen nothing is shared with itself. */
function processOf(domain: Substrate): Substrate {
  const across =
    <Rest extends unknown[], T>(call: (peer: Domid, ...rest: Rest) => Promise<T>) =>
    async (peer: Domid, ...rest: Rest): Promise<T> => {
      if (peer === domain.domid) throw new ConduitError('EINVAL', 'this domain itself')
      return call(peer, ...rest)
    }
  return {
    kind: domain.kind,
    domid: domain.domid,
    grantBudget: domain.grantBudget,
    share: across((...args: Parameters<Substrate['share']>) => domain.share(...args)),
    map: across((...args: Parameters<Substrate['map']>) => domain.map(...args)),
    listen: across((peer: Domid) => domain.listen(peer)),
    bind: across((...args: Parameters<Substrate['bind']>) => domain.bind(...args)),
    xenstore: () => domain.xenstore(),
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  }
}

describe('several processes of one domain', () => {
  it('are let in to a name until the last of them has left', async () => {
    const world = await MemoryWorld.start()
    const server = await world.environment()
    // The first leaves without a word.
    await server.createServer((socket) => socket.on('error', () => undefined).pipe(socket)).listen('web')
    const domain = world.domain()
    const clock = new ManualClock()
    const [first, second] = [
      await Conduit.open({ substrate: processOf(domain) }),
      await Conduit.open({ substrate: processOf(domain), clock }),
    ]
    // At once: they share the registrar's answer, too.
    const [one, other] = await Promise.all([first.connect('web'), second.connect('web')])
    one.on('error', () => undefined)
    await first.close()
    await turns()
    for (let grace = 0; grace < 3; grace++) {
      clock.advance(1000)
      await turns()
    }
    other.end('still here')
    expect(Buffer.concat(await other.toArray()).toString()).to.equal('still here')
    const [want, answer] = ['want', 'answer'].map((kind) => `/local/domain/${domain.domid}/data/conduit/${kind}/web`)
    expect([await world.dom0.exists(want!), await world.dom0.exists(answer!)]).to.deep.equal([true, true])
    await second.close()
    expect([await world.dom0.exists(want!), await world.dom0.exists(answer!)]).to.deep.equal([false, false])
    await world.close()
  })
})

describe('connections within one domain', () => {
  let xen: MemoryWorld
  let local: MemoryWorld
  let domain: Substrate
  /** Environments opened within the domain. */
  let opened: number
  const conduits: Conduit[] = []

  beforeEach(async () => {
    xen = await MemoryWorld.start()
    local = await MemoryWorld.start()
    domain = xen.domain()
    opened = 0
  })

  afterEach(async () => {
    await Promise.all(conduits.splice(0).map((conduit) => conduit.close()))
    await xen.close()
    await local.close()
  })

  const within = () => {
    opened++
    return Conduit.open({ substrate: local.domain() })
  }

  async function open(substrate = processOf(domain), loopback: (() => Promise<Conduit>) | undefined = within) {
    const conduit = await Conduit.open({ substrate, loopback })
    conduits.push(conduit)
    return conduit
  }

  async function say(
    conduit: Conduit,
    address: string,
    word: string,
    options: StreamConnectOptions = {},
  ): Promise<string> {
    const socket = await conduit.connect(address, options)
    socket.end(word)
    const answer = Buffer.concat(await socket.toArray()).toString()
    if (!socket.closed) await once(socket, 'close')
    return answer
  }

  const echo = (conduit: Conduit) => conduit.createServer((socket: ConduitSocket) => socket.pipe(socket))

  it('a name is served to this domain within it, and to others across', async () => {
    const [server, neighbour, other] = [await open(), await open(), await open(xen.domain())]
    await echo(server).listen('web')
    expect(await say(neighbour, 'web', 'near')).to.equal('near')
    expect(await say(other, 'web', 'far')).to.equal('far')
    expect(await say(server, 'web:http', 'nearest')).to.equal('nearest')
    // The server's, the neighbour's: the other domain needed none.
    expect(opened).to.equal(2)
  })

  it('waiting for a name ends within the domain too', async () => {
    const [server, client] = [await open(), await open()]
    const waiting = say(client, 'later', 'near', { wait: true })
    await echo(server).listen('later')
    expect(await waiting).to.equal('near')
  })

  it('vchan://DOMID/PORT of the own domain meets its server there', async () => {
    const [server, client] = [await open(), await open()]
    const own = `vchan://${domain.domid}/Bench_1`
    await echo(server).listen(own)
    expect(await say(client, own, 'near')).to.equal('near')
    await expectCode(client.connect(`vchan://${domain.domid}/other`), 'ECONNREFUSED')
    await expectCode(client.connect('vchan://999/other'), 'ENOENT')
  })

  it('the flat layout finds its own domain within it', async () => {
    await xen.dom0.setPermissions('/conduit', [{ access: 'b', domid: domid(0) }])
    const [server, client] = [await open(), await open()]
    await server.createServer({ layout: 'flat' }, (socket) => socket.pipe(socket)).listen('flat')
    expect(await say(client, 'flat', 'near', { layout: 'flat' })).to.equal('near')
  })

  it('two processes of one domain cannot have one name', async () => {
    const [first, second] = [await open(), await open()]
    const server = echo(first)
    await server.listen('web')
    await expectCode(echo(second).listen('web'), 'EADDRINUSE')
    await server.close()
    await echo(second).listen('web')
  })

  it('what another user of the domain serves is refused, with the reason', async () => {
    const otherUsers = await MemoryWorld.start()
    const asOther = () => Conduit.open({ substrate: otherUsers.domain() })
    const [elsewhere, client] = [await open(processOf(domain), asOther), await open()]
    await echo(elsewhere).listen('web')
    const error = await client.connect('web').catch((failure: ConduitError) => failure)
    expect(error).to.include({ code: 'ECONNREFUSED', endpoint: 'web' })
    expect((error as ConduitError).hint).to.include('one user')
    await elsewhere.close()
    await otherUsers.close()
  })

  it('a server that cannot listen within the domain does not listen at all', async () => {
    const failing = () => Promise.reject(new ConduitError('RUNTIME_DIR', 'no place for it'))
    const conduit = await open(processOf(domain), failing)
    await expectCode(echo(conduit).listen('web'), 'RUNTIME_DIR')
    const other = await open(xen.domain())
    await expectCode(other.connect('web'), 'ENOENT')
  })

  it('a listener that fails across takes its name within back', async () => {
    const [holder, conduit] = [await xen.environment(), await open()]
    const server = echo(holder)
    await server.listen('web')
    await expectCode(echo(conduit).listen('web'), 'EADDRINUSE')
    await server.close()
    await echo(conduit).listen('web')
    expect(await say(conduit, 'web', 'near')).to.equal('near')
  })
})
