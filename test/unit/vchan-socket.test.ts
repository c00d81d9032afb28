import { once } from 'node:events'
import { expect } from 'chai'
import { ConduitSocket, type ConduitSocketOptions } from '../../src/vchan/socket.js'
import { type PairOptions, vchanPair } from '../support/vchan-pair.js'

async function socketPair(options: PairOptions = {}, sockets: ConduitSocketOptions = {}) {
  const pair = await vchanPair(options)
  const server = new ConduitSocket(pair.server, sockets)
  const client = new ConduitSocket(pair.client, sockets)
  return { ...pair, server, client }
}

async function collect(socket: ConduitSocket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

describe('ConduitSocket', () => {
  it('answers what an echo server was sent, ends and releases everything', async () => {
    const { server, client, hypervisor } = await socketPair()
    server.pipe(server)
    client.end('hello')
    const closed = Promise.all([once(server, 'close'), once(client, 'close')])
    expect((await collect(client)).toString()).to.equal('hello')
    expect(await closed).to.deep.equal([[false], [false]])
    hypervisor.assertClean()
  })

  it('moves more than the rings hold in both directions at once', async () => {
    const { server, client, hypervisor } = await socketPair()
    const bytes = Buffer.alloc(1_000_003, 'conduit ')
    server.end(bytes)
    client.end(bytes)
    const [left, right] = await Promise.all([collect(server), collect(client)])
    expect(left.equals(bytes)).to.equal(true)
    expect(right.equals(bytes)).to.equal(true)
    await hypervisor.settle()
    hypervisor.assertClean()
  })
})
