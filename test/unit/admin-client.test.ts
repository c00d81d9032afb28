// How a running jitsud is asked, and what becomes of answers that are none of its.
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { expect } from 'chai'
import { askAdmin } from '../../src/cli/admin-client.js'
import { statusLines } from '../../src/cli/status-text.js'
import { parseStatus, parseTimelines } from '../../src/jitsu/admin/status-schema.js'
import { AdminWorld, timelineOf, warmService } from '../support/admin-world.js'
import { rejectionOf } from '../support/expect-rejection.js'

describe('a running jitsud that is asked', () => {
  let world: AdminWorld
  beforeEach(async () => {
    world = await AdminWorld.listen()
  })
  afterEach(() => world.close())
  const address = () => ({ host: '127.0.0.1', port: world.port })

  it('tells its status and its timelines as it has them', async () => {
    expect(await askAdmin(address(), '/status', parseStatus)).to.deep.equal(world.status())
    world.summons = [
      timelineOf('www', { outcome: undefined, steps: { query: 0 } }),
      timelineOf('mail', { error: 'no' }),
    ]
    expect(await askAdmin(address(), '/timeline', parseTimelines)).to.deep.equal(world.summons)
  })

  it('tells nothing of a service that it has not', async () => {
    expect(await askAdmin(address(), '/timeline?name=none', parseTimelines)).to.equal(undefined)
  })

  it('shows what is kept warm, and why it is less than was asked for', async () => {
    world.services = [warmService('shop', { problem: 'no\nroom' }), warmService('mail', { ready: 3 })]
    const status = (await askAdmin(address(), '/status', parseStatus))!
    expect(status.services[0]?.pool).to.deep.include({ wanted: 3, ready: 2, problem: 'no\nroom' })
    expect(statusLines(status).slice(-2)).to.deep.equal([
      'warm shop: 2 of 3 (no room), 3.0 MiB: prepared 5, taken 2, empty 1, died 1',
      'warm mail: 3 of 3, 3.0 MiB: prepared 5, taken 2, empty 1, died 1',
    ])
  })

  it('is shown without what a launcher put into an error', async () => {
    world.summons = [timelineOf('www', { outcome: 'failed', error: 'a\u001b[2J\nb' })]
    const lines = statusLines((await askAdmin(address(), '/status', parseStatus))!)
    expect(lines.join('')).to.contain('failed: a [2J b')
    expect(lines.every((line) => !line.includes('\n') && !line.includes('\u001b'))).to.equal(true)
  })
})

describe('what listens where a jitsud is asked', () => {
  let server: Server | undefined
  afterEach(async () => {
    server?.closeAllConnections()
    server?.close()
    server = undefined
  })
  const ask = async (listener: RequestListener) => {
    server = createServer(listener).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    return rejectionOf(askAdmin({ host: '127.0.0.1', port }, '/status', parseStatus))
  }

  const ODD: readonly (readonly [string, RequestListener])[] = [
    ['is no JSON', (_, response) => response.end('<html>')],
    ['is JSON of another kind', (_, response) => response.end('{"services":[{"name":7}]}')],
    ['is a refusal', (_, response) => response.writeHead(403).end('{}')],
    ['leads elsewhere', (_, response) => response.writeHead(302, { Location: 'http://192.0.2.1/' }).end()],
  ]
  for (const [what, listener] of ODD) {
    it(`is no jitsud when what it says ${what}`, async () => {
      const error = await ask(listener)
      expect(error).to.include({ code: 'EINVAL' })
      expect(error).to.have.property('hint').that.contains('--admin ADDRESS:PORT')
    })
  }

  it('is cut off when it talks without end', async () => {
    const error = await ask((request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 20, '[')));
      }
      response.on('drain', more)
      request.on('close', () => undefined)
      more()
    })
    expect(error).to.include({ code: 'EMSGSIZE' })
  })

  it('is a system error when it hangs up', async () => {
    expect(await ask((request) => request.socket.destroy())).to.include({ code: 'SYSTEM', errno: 'ECONNRESET' })
  })

  it('is nobody, which is said with what to do', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as { port: number }
    closed.close()
    await once(closed, 'close')
    const error = await rejectionOf(askAdmin({ host: '127.0.0.1', port }, '/status', parseStatus))
    expect(error).to.include({ code: 'ECONNREFUSED', endpoint: `127.0.0.1:${port}` })
    expect(error).to.have.property('hint').that.contains('is jitsud running')
  })
})
