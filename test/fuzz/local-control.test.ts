// The local hypervisor and clients that speak its protocol badly, or well and too much: it lives, keeps nothing of theirs
// once they have gone, and serves those who behave.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import {
  ControlStatus,
  ControlType,
  encodeControl,
  MAX_CONTROL_BYTES,
  MAX_MAP_GREFS,
  NONE,
} from '../../protocol/local-control.js'
import { native } from '../../src/native.js'
import { DomainStoreSockets } from '../../src/substrate/local/domain-store-sockets.js'
import { LocalHypervisor } from '../../src/substrate/local/hypervisor.js'
import { eventually, turns } from '../support/eventually.js'
import { RawControl } from '../support/raw-control.js'

const RUNS = 150
const GREF = 100
/** One more than MAP may have. */
const TOO_MANY_WORDS = 4 + MAX_MAP_GREFS + 1
const PORT = 7

const openFiles = (): number => readdirSync('/proc/self/fd').length

/** Numbers that mean something here, and any other. */
const word = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 2, 3, 4, PORT, 8, GREF, GREF + 1, 4096, 0x7fff, NONE - 1, NONE) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: NONE }) },
)
const type = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...Object.values(ControlType)) },
  { weight: 1, arbitrary: fc.constantFrom(0, 14, 99, 0xffff) },
)
const message = fc
  .record({
    type,
    status: fc.constantFrom(0, 0, 0, 0, 1, 7, 8, 0xffff),
    sequence: fc.constantFrom(1, 2, 3, 0, NONE),
    words: fc.oneof(
      { weight: 9, arbitrary: fc.array(word, { maxLength: 7 }) },
      fc.constant(Array(TOO_MANY_WORDS).fill(GREF)),
    ),
  })
  .map((parts) => encodeControl(parts as Parameters<typeof encodeControl>[0]))
const cut = fc.tuple(message, fc.nat({ max: 40 })).map(([bytes, length]) => bytes.subarray(0, length))
const flipped = fc.tuple(message, fc.nat(), fc.nat({ max: 255 })).map(([bytes, at, value]) => {
  const copy = Uint8Array.from(bytes)
  if (copy.length > 0) copy[at % copy.length] = value
  return copy
})
const datagram = fc.oneof(
  { weight: 10, arbitrary: message },
  { weight: 2, arbitrary: flipped },
  { weight: 1, arbitrary: cut },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }) },
  { weight: 1, arbitrary: fc.constantFrom(new Uint8Array(0), new Uint8Array(MAX_CONTROL_BYTES + 1)) },
)
/** Which of the descriptors at hand go along: sealed pages, a socket, an event. */
const passed = fc.array(fc.nat({ max: 2 }), { maxLength: 4 })
const session = fc.array(fc.tuple(datagram, passed), { maxLength: 25 })

describe('local control protocol, fuzzed', () => {
  let hypervisor: LocalHypervisor
  let owner: RawControl
  let mapper: RawControl
  let peers: { owner: number; mapper: number }
  let atHand: number[]
  let directory: string

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-fuzz-'))
    const sockets = new DomainStoreSockets(directory, (_domid, fd) => native().closeFd(fd))
    hypervisor = new LocalHypervisor({
      store: {
        introduceDomain: () => {},
        domainDied: (domid) => sockets.close(domid),
        serve: (_domid, fd) => native().closeFd(fd),
        listen: (domid, pid) => sockets.open(domid, pid),
      },
      nextDomid: 1,
      reserveDomids: () => {},
      grace: false,
      onIdle: () => {},
    })
    owner = new RawControl(hypervisor)
    mapper = new RawControl(hypervisor)
    peers = { owner: await owner.attach(), mapper: await mapper.attach() }
    const [socket, other] = native().socketPair(true)
    native().closeFd(other)
    atHand = [native().memfdCreate('conduit-fuzz', 2 * 4096), socket, native().eventfdCreate()]
  })
  afterEach(async () => {
    for (const client of [owner, mapper]) client.close()
    for (const fd of atHand) native().closeFd(fd)
    await eventually(() => hypervisor.domainCount === 0)
    hypervisor.close()
    expect(readdirSync(directory)).to.deep.equal([])
    rmSync(directory, { recursive: true })
  })

  /** Two honest clients share pages and a port, and give them back. */
  async function honestWork(): Promise<void> {
    const [memfd, , event] = atHand as [number, number, number]
    const ask = async (client: RawControl, type: ControlType, words: number[], fds: number[] = []): Promise<number> => {
      const answer = await client.request(type, words, fds)
      expect(answer.status, `answer to ${type}`).to.equal(ControlStatus.OK)
      for (const fd of answer.fds) native().closeFd(fd)
      return answer.fds.length
    }
    await ask(owner, ControlType.STORE_SOCKET, [])
    await ask(owner, ControlType.GRANT, [GREF, 2, peers.mapper, 1, NONE], [memfd])
    await ask(owner, ControlType.LISTEN, [PORT, peers.mapper], [event, event])
    expect(await ask(mapper, ControlType.BIND, [peers.owner, PORT, PORT])).to.equal(2)
    expect(await ask(mapper, ControlType.MAP, [peers.owner, 1, 0, 1, GREF, GREF + 1])).to.equal(1)
    await ask(mapper, ControlType.UNMAP, [1])
    await ask(mapper, ControlType.CLOSE_PORT, [PORT])
    await ask(owner, ControlType.CLOSE_PORT, [PORT])
    await ask(owner, ControlType.UNGRANT, [GREF])
  }

  it('whatever a client sends, the others are served, and what it passed or made is gone when it goes', async () => {
    await honestWork()
    const before = openFiles()
    await fc.assert(
      fc.asyncProperty(session, fc.boolean(), async (datagrams, attached) => {
        const hostile = new RawControl(hypervisor)
        if (attached) await hostile.attach()
        for (const [bytes, which] of datagrams) {
          hostile.send(
            bytes,
            which.map((index) => atHand[index]!),
          )
        }
        await turns(3)
        await honestWork()
        hostile.close()
        await eventually(() => hypervisor.domainCount === 2 && openFiles() === before)
      }),
      { numRuns: RUNS },
    )
  })

  it('a client that reads no answers is asked nothing more of, and costs no descriptors', async () => {
    const deaf = new RawControl(hypervisor)
    const own = await deaf.attach()
    await deaf.request(ControlType.GRANT, [GREF, 2, own, 1, NONE], [atHand[0]!])
    const before = openFiles()
    let full = 0
    // Full once is a matter of pace; full for many turns, and the hypervisor has stopped taking requests.
    for (let mapId = 1; full < 50; mapId++) {
      const words = [own, 1, NONE, mapId, GREF]
      if (deaf.send(encodeControl({ type: ControlType.MAP, status: 0, sequence: 9, words }))) full = 0
      else full++
      if (full > 0) await turns(1)
      expect(openFiles(), `after ${mapId} requests`).to.be.at.most(before + 1)
    }
    await honestWork()
    deaf.close()
  })

  it('a client that asks without pause leaves the others their turn', async () => {
    const greedy = new RawControl(hypervisor)
    await greedy.attach()
    const grant = encodeControl({ type: ControlType.GRANT, status: 0, sequence: 9, words: [GREF, 2, 1, 1, NONE] })
    const ungrant = encodeControl({ type: ControlType.UNGRANT, status: 0, sequence: 9, words: [GREF] })
    let asking = true
    const flood = (async () => {
      while (asking) {
        for (let sent = 0; sent < 200; sent++) {
          greedy.send(grant, [atHand[0]!])
          greedy.send(ungrant)
          while (greedy.receive() !== undefined);
        }
        await turns(1)
      }
    })()
    for (let round = 0; round < 20; round++) await honestWork()
    asking = false
    await flood
    greedy.close()
  })

  it('pages of more files than a message holds are refused to the one who asks', async () => {
    const [memfd] = atHand as [number]
    const grefs = Array.from({ length: 254 }, (_, index) => 2 * index + GREF)
    for (const first of grefs) await owner.request(ControlType.GRANT, [first, 1, peers.mapper, 1, NONE], [memfd])
    const map = (id: number, pages: number[]) => mapper.request(ControlType.MAP, [peers.owner, 1, NONE, id, ...pages])
    expect((await map(1, grefs)).status).to.equal(ControlStatus.LIMIT)
    const most = await map(2, grefs.slice(1))
    expect([most.status, most.fds.length]).to.deep.equal([ControlStatus.OK, 253])
    for (const fd of most.fds) native().closeFd(fd)
    for (const first of grefs) await owner.request(ControlType.UNGRANT, [first])
    await honestWork()
  })

  it('grants do not overlap, whatever their sizes, and each page belongs to the one that has it', async () => {
    const [memfd] = atHand as [number]
    const range = fc.record({ first: fc.integer({ min: 8, max: 24 }), pages: fc.integer({ min: 1, max: 2 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 20 }), async (ranges) => {
        const model = new Map<number, number>()
        for (const { first, pages } of ranges) {
          const all = Array.from({ length: pages }, (_, index) => first + index)
          if (model.get(first) === first) {
            expect((await owner.request(ControlType.UNGRANT, [first])).status).to.equal(ControlStatus.OK)
            for (const [gref, grant] of model) if (grant === first) model.delete(gref)
            continue
          }
          const { status } = await owner.request(ControlType.GRANT, [first, pages, peers.mapper, 1, NONE], [memfd])
          const free = all.every((gref) => !model.has(gref))
          expect(status).to.equal(free ? ControlStatus.OK : ControlStatus.BAD_GRANT)
          if (free) for (const gref of all) model.set(gref, first)
        }
        for (let gref = 7; gref < 28; gref++) {
          const answer = await mapper.request(ControlType.MAP, [peers.owner, 1, NONE, 1, gref])
          for (const fd of answer.fds) native().closeFd(fd)
          expect(answer.status === ControlStatus.OK, `gref ${gref}`).to.equal(model.has(gref))
          if (model.has(gref)) expect(answer.words[1]).to.equal(gref - model.get(gref)!)
          await mapper.request(ControlType.UNMAP, [1])
        }
        for (const first of new Set(model.values())) await owner.request(ControlType.UNGRANT, [first])
      }),
      { numRuns: 40 },
    )
  })
})
