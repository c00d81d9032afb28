// Work that nobody waits for, and the flow entry as its example.
import { expect } from 'chai'
import { Background } from '../../src/conduit/background.js'
import type { ConduitContext } from '../../src/conduit/context.js'
import { writeFlow } from '../../src/conduit/flows.js'

const ID = '0123456789ab'
const FLOW = { state: 'established', client: 7, name: 'web', port: undefined } as unknown as Parameters<
  typeof writeFlow
>[2]

/** A context whose store writes down what it is asked. */
function recording(): { context: ConduitContext; asked: string[] } {
  const asked: string[] = []
  const store = {
    write: async (path: string) => void asked.push(`write ${path}`),
    remove: async (path: string) => void asked.push(`remove ${path}`),
  }
  const context = { store, background: new Background(), substrate: { domid: 3 } } as unknown as ConduitContext
  return { context, asked }
}

describe('background work', () => {
  it('that comes later begins after everything that is ready now, and closing waits for it', async () => {
    const background = new Background()
    const order: string[] = []
    background.later(async () => void order.push('bookkeeping'))
    process.nextTick(() => order.push('socket'))
    void Promise.resolve().then(() => order.push('continuation'))
    await background.settled()
    expect(order).to.have.members(['continuation', 'socket', 'bookkeeping'])
    expect(order.at(-1)).to.equal('bookkeeping')
  })

  it('fails nobody and holds nobody up when it fails', async () => {
    const background = new Background()
    background.run(Promise.reject(new Error('no')))
    background.later(() => Promise.reject(new Error('no')))
    await background.settled()
  })

  it('writes the flow of a connection after its socket, and takes it away when it ends', async () => {
    const { context, asked } = recording()
    const remove = writeFlow(context, ID, FLOW)
    await new Promise((resolve) => process.nextTick(resolve))
    expect(asked).to.deep.equal([])
    await context.background.settled()
    remove()
    await context.background.settled()
    expect(asked).to.deep.equal([`write /conduit/flows/3/${ID}`, `remove /conduit/flows/3/${ID}`])
  })

  it('writes no flow for a connection that has ended by then', async () => {
    const { context, asked } = recording()
    writeFlow(context, ID, FLOW)()
    await context.background.settled()
    expect(asked).to.deep.equal([])
  })
})
