// The table of open connections over the embedded store, with its limits: what is written when, and what a reader makes of it.
import { expect } from 'chai'
import { FLOW_LINES } from '../../protocol/conduit.js'
import { domid } from '../../protocol/xen.js'
import { Background } from '../../src/conduit/background.js'
import { FlowTable } from '../../src/conduit/flow-table.js'
import { listFlows, listUnlisted } from '../../src/conduit/flows.js'
import type { StoreGuest } from '../support/store-guest.js'
import { StoreWorld } from '../support/store-world.js'

const SERVER = domid(3)
const FLOW = { state: 'established', client: domid(7), name: 'web', port: undefined } as const
const idOf = (n: number): string => n.toString(16).padStart(12, '0')

describe('the table of open connections', () => {
  let world: StoreWorld
  let server: StoreGuest
  let background: Background
  let table: FlowTable

  beforeEach(async () => {
    world = await StoreWorld.start()
    server = await world.guest(SERVER)
    await server.ask('register', 'web')
    background = new Background()
    table = new FlowTable(server.store, background, () => SERVER)
  })
  afterEach(() => world.close())

  const settled = async () => {
    await new Promise((resolve) => process.nextTick(resolve))
    await background.settled()
  }
  const children = () => world.dom0.directory(`/conduit/flows/${SERVER}`)
  const listed = async () => (await listFlows(world.dom0)).map(({ connectionId }) => connectionId)
  const open = (count: number) => Array.from({ length: count }, (_, n) => table.add(idOf(n), FLOW))

  it('gets the line of a connection after its socket, and loses it when it ends', async () => {
    const [remove] = open(1)
    await new Promise((resolve) => process.nextTick(resolve))
    expect(await children()).to.deep.equal([])
    await settled()
    expect(await listFlows(world.dom0)).to.deep.equal([{ ...FLOW, server: SERVER, connectionId: idOf(0) }])
    remove?.()
    await settled()
    expect(await children()).to.deep.equal([])
  })

  it('gets no line for a connection that has ended by then', async () => {
    const written: string[] = []
    await world.dom0.watch(`/conduit/flows/${SERVER}`, (path) => void written.push(path))
    open(1)[0]?.()
    await settled()
    await world.dom0.read('/conduit')
    await new Promise((resolve) => setImmediate(resolve))
    expect(written.filter((path) => path.endsWith(idOf(0)))).to.deep.equal([])
  })

  it(`has ${FLOW_LINES} lines and counts the others, and the oldest of those move up as others end`, async () => {
    const removals = open(1000)
    await settled()
    expect((await listed()).sort()).to.deep.equal(Array.from({ length: FLOW_LINES }, (_, n) => idOf(n)))
    expect(await listUnlisted(world.dom0)).to.deep.equal([{ server: SERVER, count: 1000 - FLOW_LINES }])
    expect(world.store.nodesOwnedBy(SERVER)).to.be.lessThan(FLOW_LINES + 10)
    for (const remove of removals.slice(0, 800)) remove()
    await settled()
    const moved = Array.from({ length: FLOW_LINES }, (_, n) => idOf(800 + n))
    expect((await listed()).sort()).to.deep.equal(moved)
    expect(await listUnlisted(world.dom0)).to.deep.equal([{ server: SERVER, count: 200 - FLOW_LINES }])
    for (const remove of removals) remove()
    await settled()
    expect(await children()).to.deep.equal([])
  })

  it('costs a process lines, and nothing else, where others of its domain have filled the node', async () => {
    const others = new FlowTable(server.store, background, () => SERVER)
    const removals = [...open(140)]
    await settled()
    for (let n = 0; n < 60; n++) removals.push(others.add(idOf(1000 + n), FLOW))
    await settled()
    const lines = await listed()
    const [unlisted] = await listUnlisted(world.dom0)
    expect(lines.length).to.be.greaterThan(FLOW_LINES).and.lessThan(156)
    expect(unlisted?.count).to.equal(140 - FLOW_LINES)
    for (const remove of removals) remove()
    await settled()
    expect(await children()).to.deep.equal([])
  })

  it('believes no count that is none', async () => {
    const at = `/conduit/flows/${SERVER}`
    const values = ['x', '-1', '007', '1e9', '99999999999', '', ' 5', '0']
    for (const [n, value] of values.entries()) await server.store.write(`${at}/unlisted-0000000${n}`, value)
    await server.store.write(`${at}/unlisted-short`, '5')
    expect(await listUnlisted(world.dom0)).to.deep.equal([])
    await server.store.write(`${at}/unlisted-0000000a`, '12')
    await server.store.write(`${at}/unlisted-0000000b`, '5')
    expect(await listUnlisted(world.dom0), 'of all processes of the domain').to.deep.equal([
      { server: SERVER, count: 17 },
    ])
  })
})
