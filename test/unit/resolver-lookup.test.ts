// lookup() beside dns.lookup: the same arguments, orders and errors, and what net, http and undici make of it.
import dns, { ADDRCONFIG, ALL, type LookupAddress, type LookupOptions, V4MAPPED } from 'node:dns'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Agent, request } from 'undici'
import type { QueryDns } from '../../src/resolver/host-addresses.js'
import { type LookupFunction, lookupBy } from '../../src/resolver/lookup.js'
import { Resolver } from '../../src/resolver/resolver.js'
import type { ResolverParts } from '../../src/resolver/resolver-options.js'
import { a, aaaa, DnsZone } from '../support/dns-zone.js'
import { rejectionOf } from '../support/expect-rejection.js'

const HOST = 'www.example.org'
const ZONE = {
  [`AAAA ${HOST}`]: [aaaa(HOST, '2001:db8::1')],
  [`A ${HOST}`]: [a(HOST, '10.0.0.1'), a(HOST, '10.0.0.2')],
  'A four.example': [a('four.example', '127.0.0.1')],
  'A failing.example': 'SERVFAIL',
} as const

const lookupIn = (query: QueryDns, options: ResolverParts = {}): LookupFunction => {
  const resolver = new Resolver({ servers: ['192.0.2.1'], queryDns: query, ...options })
  return lookupBy(() => resolver)
}
const lookup = lookupIn(new DnsZone(ZONE).query, {
  rules: { 'static.example': '127.0.0.1', 'unix.example': 'unix:///a' },
})

const all = (host: string, options: LookupOptions = {}): Promise<string[]> =>
  promisify(lookup)(host, { ...options, all: true }).then((found) =>
    (found as LookupAddress[]).map(({ address }) => address),
  )

type Reply = [error: NodeJS.ErrnoException | null, ...unknown[]]
const replyOf = (of: typeof dns.lookup, ...args: unknown[]): Promise<Reply> =>
  new Promise((resolve) => (of as (...all: unknown[]) => void)(...args, (...reply: Reply) => resolve(reply)))

describe('lookup', () => {
  it('gives one address and its family, or all of them', async () => {
    expect(await replyOf(lookup, HOST)).to.deep.equal([null, '10.0.0.1', 4])
    expect(await replyOf(lookup, HOST, 6)).to.deep.equal([null, '2001:db8::1', 6])
    expect(await replyOf(lookup, HOST, { family: 'IPv6' })).to.deep.equal([null, '2001:db8::1', 6])
    expect(await replyOf(lookup, HOST, { all: true })).to.deep.equal([
      null,
      [
        { address: '10.0.0.1', family: 4 },
        { address: '10.0.0.2', family: 4 },
        { address: '2001:db8::1', family: 6 },
      ],
    ])
  })

  it('is promisified as dns.lookup is', async () => {
    expect(await promisify(lookup)(HOST)).to.deep.equal({ address: '10.0.0.1', family: 4 })
    expect(await promisify(lookup)(HOST, { all: true })).to.have.length(3)
  })

  it('asks for one family only where one is wanted', async () => {
    const zone = new DnsZone(ZONE)
    await replyOf(lookupIn(zone.query), HOST, { family: 4 })
    expect(zone.asked).to.deep.equal([`A ${HOST}`])
  })

  it('orders as it is told', async () => {
    expect(await all(HOST, { order: 'ipv6first' } as LookupOptions)).to.deep.equal([
      '2001:db8::1',
      '10.0.0.1',
      '10.0.0.2',
    ])
    expect((await all(HOST, { verbatim: false }))[0]).to.equal('10.0.0.1')
    expect((await all(HOST, { order: 'ipv4first', verbatim: true } as LookupOptions))[0]).to.equal('10.0.0.1')
  })

  it('takes the hints of getaddrinfo', async () => {
    const hinted = (host: string, hints: number) => all(host, { family: 6, hints })
    expect(await hinted('four.example', V4MAPPED)).to.deep.equal(['::ffff:127.0.0.1'])
    expect(await hinted(HOST, V4MAPPED)).to.deep.equal(['2001:db8::1'])
    expect(await hinted(HOST, V4MAPPED | ALL)).to.deep.equal(['2001:db8::1', '::ffff:10.0.0.1', '::ffff:10.0.0.2'])
    const own = Object.values(networkInterfaces()).flatMap((found) => found ?? [])
    const has = (family: string) => own.some((address) => !address.internal && address.family === family)
    const configured = await all(HOST, { hints: ADDRCONFIG }).catch(() => [])
    expect(configured.some((address) => net.isIPv4(address))).to.equal(has('IPv4'))
    expect(configured.some((address) => net.isIPv6(address))).to.equal(has('IPv6'))
  })

  it('follows static rules, and hosts of this machine', async () => {
    expect(await replyOf(lookup, 'static.example')).to.deep.equal([null, '127.0.0.1', 4])
    expect(await all('localhost')).to.deep.equal(['127.0.0.1', '::1'])
  })

  it('answers with an address that is one already, never within the call', async () => {
    let called = false
    const reply = new Promise<Reply>((resolve) => {
      lookup('10.9.8.7', { family: 6 }, (...args) => {
        called = true
        resolve(args)
      })
    })
    expect(called).to.equal(false)
    expect(await reply).to.deep.equal([null, '10.9.8.7', 4])
  })

  for (const host of ['nosuch.example', 'www.xen', 'unix.example', 'a b', '..']) {
    it(`fails with dns.lookup's own error for ${JSON.stringify(host)}`, async () => {
      const [error, ...more] = await replyOf(lookup, host)
      const [nodes] = await replyOf(dns.lookup, 'nosuch.invalid')
      expect(more).to.deep.equal([])
      expect(error).to.be.instanceOf(Error)
      expect({ ...error }).to.deep.equal({ ...nodes, hostname: host })
      expect(error!.message).to.equal(`getaddrinfo ENOTFOUND ${host}`)
    })
  }

  it('says EAI_AGAIN when a server failed, and why', async () => {
    const [error] = await replyOf(lookup, 'failing.example')
    expect(error).to.include({ code: 'EAI_AGAIN', errno: -3001, syscall: 'getaddrinfo' })
    expect(error!.cause).to.have.property('code', 'RESOLVER')
  })

  const WRONG: readonly (readonly unknown[])[] = [
    [3, () => undefined],
    [HOST],
    [HOST, {}],
    [HOST, { family: 5 }, () => undefined],
    [HOST, 5, () => undefined],
    [HOST, { hints: 99999 }, () => undefined],
    [HOST, { all: 1 }, () => undefined],
    [HOST, { order: 'x' }, () => undefined],
    [HOST, 'x', () => undefined],
  ]
  it('throws what dns.lookup throws for wrong arguments', () => {
    const thrownBy = (of: typeof dns.lookup, args: readonly unknown[]) => {
      try {
        ;(of as (...all: unknown[]) => void)(...args)
      } catch (error) {
        const { name, code, message } = error as NodeJS.ErrnoException
        return { name, code, message }
      }
      return undefined
    }
    for (const args of WRONG) {
      expect(thrownBy(lookup, args)).to.deep.equal(thrownBy(dns.lookup, args)).and.not.equal(undefined)
    }
  })

  it("is node's own where the system is asked", async () => {
    const resolver = new Resolver()
    if (process.env.CONDUIT_DNS) throw new Error('unset CONDUIT_DNS for the tests')
    const [error] = await replyOf(
      lookupBy(() => resolver),
      'nosuch.invalid',
    )
    expect(error).to.include({ code: 'ENOTFOUND', hostname: 'nosuch.invalid' })
    expect(error!.cause).to.equal(undefined)
  })
})

describe('lookup handed to others', () => {
  let server: http.Server
  let port: number

  beforeEach(async () => {
    server = http.createServer((_, response) => response.end('here')).listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterEach(async () => {
    server.close()
    await once(server, 'close')
  })

  it('net.connect finds a host by it', async () => {
    const socket = net.connect({ host: 'four.example', port, lookup })
    await once(socket, 'connect')
    expect(socket.remoteAddress).to.equal('127.0.0.1')
    socket.destroy()
  })

  it('net.connect tries the addresses in turn', async () => {
    const zone = new DnsZone({
      'A two.example': [a('two.example', '127.0.0.1')],
      'AAAA two.example': [aaaa('two.example', '::1')],
    })
    const socket = net.connect({ host: 'two.example', port, lookup: lookupIn(zone.query), autoSelectFamily: true })
    await once(socket, 'connect')
    socket.destroy()
  })

  it('net.connect fails as it does without it', async () => {
    const [error] = (await once(net.connect({ host: 'nosuch.example', port, lookup }), 'error').catch((e) => [
      e,
    ])) as Error[]
    expect(error).to.include({ code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: 'nosuch.example' })
  })

  it('http.get finds a host by it', async () => {
    const [response] = (await once(http.get({ host: 'four.example', port, lookup, agent: false }), 'response')) as [
      http.IncomingMessage,
    ]
    expect((await response.toArray()).join('')).to.equal('here')
  })

  it("undici's Agent finds a host by it, and fails by it", async () => {
    const agent = new Agent({ connect: { lookup } })
    const { body } = await request(`http://four.example:${port}/`, { dispatcher: agent })
    expect(await body.text()).to.equal('here')
    expect(await rejectionOf(request(`http://nosuch.example:${port}/`, { dispatcher: agent }))).to.include({
      code: 'ENOTFOUND',
    })
    await agent.close()
  })
})
