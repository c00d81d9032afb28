// Hosts by DNS: addresses, aliases, and the conduit that DNS tells of, with answers out of a table.
import { expect } from 'chai'
import { formatDiscoveryParams, formatDiscoveryTexts } from '../../protocol/conduit-discovery.js'
import { formatEndpointUri } from '../../protocol/endpoint-uri.js'
import { Resolver } from '../../src/resolver/resolver.js'
import type { ResolverParts } from '../../src/resolver/resolver-options.js'
import { a, aaaa, cname, DnsZone, svcb, txt, type ZoneEntry } from '../support/dns-zone.js'
import { eventually, turns } from '../support/eventually.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'

const HERE = '0123456789abcdef0123456789abcdef'
const ELSEWHERE = 'f'.repeat(32)
const WWW = 'www.example.org'
const CONDUIT = `_conduit.${WWW}`
const ADDRESS: Readonly<Record<string, ZoneEntry>> = { [`A ${WWW}`]: [a(WWW, '10.0.0.1')] }

const params = (hostId: string, port?: string, name = 'www') => formatDiscoveryParams({ name, port, hostId })

function resolverOf(zone: DnsZone, options: ResolverParts = {}): Resolver {
  return new Resolver({ servers: ['192.0.2.1'], queryDns: zone.query, ...options })
}

/** Of a client on the host HERE, whose patience with DNS has no end. */
function resolverHere(zone: DnsZone, options: ResolverParts = {}): Resolver {
  const never = (): Promise<never> => new Promise(() => undefined)
  return resolverOf(zone, { hostId: async () => HERE, delay: never, ...options })
}

const uriOf = async (resolver: Resolver, address = `http://${WWW}/`): Promise<string> =>
  formatEndpointUri((await resolver.resolve(address)).endpoint)

describe('addresses from DNS servers', () => {
  it('are IPv4 first, then IPv6, and the endpoint has the first', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`AAAA ${WWW}`]: [aaaa(WWW, '2001:db8::1'), aaaa(WWW, '2001:db8::2')] })
    const { endpoint, addresses } = await resolverOf(zone).resolve(`https://${WWW}/`)
    expect(formatEndpointUri(endpoint)).to.equal(`tls+tcp://10.0.0.1:443?host=${WWW}`)
    expect(addresses).to.deep.equal(['10.0.0.1', '2001:db8::1', '2001:db8::2'])
  })

  it('of one family are enough when the other fails', async () => {
    const zone = new DnsZone({ [`A ${WWW}`]: 'SERVFAIL', [`AAAA ${WWW}`]: [aaaa(WWW, '2001:db8::1')] })
    expect(await uriOf(resolverOf(zone))).to.equal('tcp://[2001:db8::1]:80')
  })

  it('a name that is not there, or has none, is ENOTFOUND', async () => {
    await expectCode(resolverOf(new DnsZone({})).resolve(`http://${WWW}/`), 'ENOTFOUND')
    await expectCode(resolverOf(new DnsZone({ [`A ${WWW}`]: [] })).resolve(`http://${WWW}/`), 'ENOTFOUND')
  })

  it('a server that fails is RESOLVER, not a name that is not there', async () => {
    const zone = new DnsZone({ [`A ${WWW}`]: 'SERVFAIL', [`AAAA ${WWW}`]: [] })
    await expectCode(resolverOf(zone).resolve(`http://${WWW}/`), 'RESOLVER')
  })

  it('international names are asked for in their ASCII form, in lower case', async () => {
    const zone = new DnsZone({ 'A xn--bcher-kva.example': [a('xn--bcher-kva.example', '10.0.0.1')] })
    expect(await uriOf(resolverOf(zone), 'http://BÜCHER.example./')).to.equal('tcp://10.0.0.1:80')
  })

  it('aliases are followed within an answer, whatever their case', async () => {
    const zone = new DnsZone({
      [`A ${WWW}`]: [
        cname(WWW.toUpperCase(), 'b.example'),
        cname('B.example', 'c.example'),
        a('C.Example', '10.0.0.3'),
      ],
    })
    expect(await uriOf(resolverOf(zone))).to.equal('tcp://10.0.0.3:80')
  })

  it('an alias without its addresses is asked for', async () => {
    const zone = new DnsZone({ [`A ${WWW}`]: [cname(WWW, 'b.example')], 'A b.example': [a('b.example', '10.0.0.2')] })
    expect(await uriOf(resolverOf(zone))).to.equal('tcp://10.0.0.2:80')
    expect(zone.asked).to.include('A b.example')
  })

  it('addresses of other names in an answer are not believed', async () => {
    const zone = new DnsZone({ [`A ${WWW}`]: [a('evil.example', '10.6.6.6')] })
    await expectCode(resolverOf(zone).resolve(`http://${WWW}/`), 'ENOTFOUND')
  })

  it('aliases in a circle, within an answer or over several, come to an end', async () => {
    const within = new DnsZone({
      [`A ${WWW}`]: [cname(WWW, 'b.example'), cname('b.example', WWW)],
      'AAAA b.example': [],
    })
    const over = new DnsZone({ [`A ${WWW}`]: [cname(WWW, 'b.example')], 'A b.example': [cname('b.example', WWW)] })
    for (const zone of [within, over]) {
      const error = await expectCode(resolverOf(zone).resolve(`http://${WWW}/`), 'RESOLVER')
      expect(error.message).to.match(/aliases/)
      expect(zone.asked.length).to.be.lessThan(20)
    }
  })

  it('a chain of a thousand aliases is not followed to its end', async () => {
    const chain = Array.from({ length: 1000 }, (_, i) => cname(`n${i}.example`, `n${i + 1}.example`))
    const zone = new DnsZone({ [`A ${WWW}`]: [cname(WWW, 'n0.example'), ...chain, a('n1000.example', '10.0.0.9')] })
    expect(await rejectionOf(resolverOf(zone).resolve(`http://${WWW}/`))).to.have.property('code')
  })

  it('an abort ends the wait with the reason of the signal, and the questions', async () => {
    const zone = new DnsZone({ [`A ${WWW}`]: 'silence', [`AAAA ${WWW}`]: 'silence' })
    const controller = new AbortController()
    const resolved = rejectionOf(resolverOf(zone).resolve(`http://${WWW}/`, { signal: controller.signal }))
    await eventually(() => zone.waiting === 2)
    controller.abort(new Error('enough'))
    expect(await resolved).to.have.property('message', 'enough')
    expect(zone.waiting).to.equal(0)
  })

  it('without servers of ours the system is asked, and its errors are told apart', async () => {
    const failing = (code: string) => async () => {
      throw Object.assign(new Error(`getaddrinfo ${code} ${WWW}`), { code, syscall: 'getaddrinfo' })
    }
    const found = new Resolver({ systemLookup: async () => [{ address: '10.0.0.7' }] })
    expect(await uriOf(found)).to.equal('tcp://10.0.0.7:80')
    await expectCode(new Resolver({ systemLookup: failing('ENOTFOUND') }).resolve(`http://${WWW}/`), 'ENOTFOUND')
    const again = await expectCode(
      new Resolver({ systemLookup: failing('EAI_AGAIN') }).resolve(`http://${WWW}/`),
      'RESOLVER',
    )
    expect(again.errno).to.equal('EAI_AGAIN')
  })
})

describe('a conduit that DNS tells of', () => {
  it('on this host is preferred to TCP, by SVCB', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE))] })
    expect(await uriOf(resolverHere(zone))).to.equal('vchan://www/http')
    expect(zone.asked).to.not.include(`TXT ${CONDUIT}`)
  })

  it('needs no address, and no port', async () => {
    const zone = new DnsZone({ [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE))] })
    expect(await uriOf(resolverHere(zone))).to.equal('vchan://www/http')
    expect(await uriOf(resolverHere(zone), WWW)).to.equal('vchan://www')
  })

  it('has TLS around it where the scheme says so', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE))] })
    expect(await uriOf(resolverHere(zone), `https://${WWW}/`)).to.equal(`tls+vchan://www/https?host=${WWW}`)
  })

  it('is found by TXT where SVCB has nothing, or fails', async () => {
    const texts = formatDiscoveryTexts({ name: 'www', port: undefined, hostId: HERE }).map(String)
    for (const bySvcb of [[], 'SERVFAIL'] as const) {
      const zone = new DnsZone({
        ...ADDRESS,
        [`SVCB ${CONDUIT}`]: bySvcb,
        [`TXT ${CONDUIT}`]: [txt(CONDUIT, ...texts)],
      })
      expect(await uriOf(resolverHere(zone))).to.equal('vchan://www/http')
    }
  })

  it('on another host is none: TCP it is', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(ELSEWHERE))] })
    expect(await uriOf(resolverHere(zone))).to.equal('tcp://10.0.0.1:80')
  })

  it('of several hosts is the one of this host', async () => {
    const records = [svcb(CONDUIT, params(ELSEWHERE), 1), svcb(CONDUIT, params(HERE, undefined, 'mine'), 2)]
    expect(await uriOf(resolverHere(new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: records })))).to.equal(
      'vchan://mine/http',
    )
  })

  it('is not asked for where no store says which host this is, or the store fails', async () => {
    const failing = async () => {
      throw new Error('no store')
    }
    for (const hostId of [undefined, async () => undefined, failing]) {
      const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE))] })
      expect(await uriOf(resolverOf(zone, { hostId }))).to.equal('tcp://10.0.0.1:80')
      expect(zone.asked).to.not.include(`SVCB ${CONDUIT}`)
    }
  })

  it('for one port is none for another', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE, 'http'))] })
    const leads = (address: string) => uriOf(resolverHere(zone), address)
    expect(await leads(`http://${WWW}/`)).to.equal('vchan://www/http')
    expect(await leads(`${WWW}:80`)).to.equal('vchan://www/http')
    expect(await leads(WWW)).to.equal('vchan://www/http')
    expect(await leads(`http://${WWW}:8080/`)).to.equal('tcp://10.0.0.1:8080')
    expect(await leads(`ssh://${WWW}`)).to.equal('tcp://10.0.0.1:22')
  })

  it('is passed over by tcp://', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE))] })
    expect(await uriOf(resolverHere(zone), `tcp://${WWW}:80`)).to.equal('tcp://10.0.0.1:80')
    expect(zone.asked).to.not.include(`SVCB ${CONDUIT}`)
  })

  it('under a name that cannot be one, or as an alias, is none', async () => {
    const garbage = new Map([
      [65280, Buffer.from('../etc')],
      [65282, Buffer.from(HERE)],
    ])
    const records = [svcb(CONDUIT, garbage), svcb(CONDUIT, params(HERE), 0), svcb('evil.example', params(HERE))]
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: records })
    expect(await uriOf(resolverHere(zone))).to.equal('tcp://10.0.0.1:80')
  })

  it('is waited for when there is no address', async () => {
    const zone = new DnsZone({ [`A ${WWW}`]: 'SERVFAIL', [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE))] })
    expect(await uriOf(resolverHere(zone))).to.equal('vchan://www/http')
  })

  it('holds up an address for a moment only, and the question ends with it', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: 'silence' })
    let endOfGrace: () => void = () => undefined
    const grace: number[] = []
    const delay = (ms: number): Promise<void> => {
      grace.push(ms)
      return new Promise((resolve) => {
        endOfGrace = resolve
      })
    }
    let uri: string | undefined
    const resolved = uriOf(resolverHere(zone, { delay })).then((text) => {
      uri = text
    })
    await eventually(() => grace.length === 1)
    await turns()
    expect(uri).to.equal(undefined)
    endOfGrace()
    await resolved
    expect(uri).to.equal('tcp://10.0.0.1:80')
    await eventually(() => zone.waiting === 0)
  })

  it('does not wait for addresses', async () => {
    const zone = new DnsZone({
      [`A ${WWW}`]: 'silence',
      [`AAAA ${WWW}`]: 'silence',
      [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(HERE))],
    })
    expect(await uriOf(resolverHere(zone))).to.equal('vchan://www/http')
    await eventually(() => zone.waiting === 0)
  })

  it('shows in the steps with the host that DNS named', async () => {
    const zone = new DnsZone({ ...ADDRESS, [`SVCB ${CONDUIT}`]: [svcb(CONDUIT, params(ELSEWHERE, 'http'))] })
    const { steps } = await resolverHere(zone).resolve(`http://${WWW}/`)
    const results = Object.fromEntries(steps.map(({ step, result }) => [step, result]))
    expect(results).to.include({
      'host-id': HERE,
      svcb: `${CONDUIT}: conduit www:http on host ${ELSEWHERE}`,
      addresses: '10.0.0.1',
    })
  })
})

describe('the DNS servers that are asked', () => {
  const askedOf = async (servers: readonly string[] | undefined, variable?: string): Promise<readonly string[]> => {
    const before = process.env.CONDUIT_DNS
    if (variable === undefined) delete process.env.CONDUIT_DNS
    else process.env.CONDUIT_DNS = variable
    try {
      let asked: readonly string[] = ['the system']
      const queryDns = async (query: Parameters<DnsZone['query']>[0]) => {
        asked = query.servers
        return new DnsZone(ADDRESS).query(query)
      }
      await new Resolver({ servers, queryDns, systemLookup: async () => [{ address: '10.0.0.1' }] }).resolve(
        `http://${WWW}`,
      )
      return asked
    } finally {
      if (before === undefined) delete process.env.CONDUIT_DNS
      else process.env.CONDUIT_DNS = before
    }
  }

  it('are those of the options, before those of CONDUIT_DNS, before the system', async () => {
    expect(await askedOf(['10.0.0.53', '[::1]:54'], '10.0.0.54')).to.deep.equal(['10.0.0.53:53', '[::1]:54'])
    expect(await askedOf(undefined, '10.0.0.54:5353, ::1')).to.deep.equal(['10.0.0.54:5353', '[::1]:53'])
    expect(await askedOf(undefined, '')).to.deep.equal(['the system'])
    expect(await askedOf(undefined)).to.deep.equal(['the system'])
  })

  it('cannot be names or nonsense', async () => {
    expect(() => new Resolver({ servers: ['dns.example'] })).to.throw(/no address of a DNS server/)
    expect(await rejectionOf(askedOf(undefined, '10.0.0.1:99999'))).to.have.property('code', 'EINVAL')
  })

  it('that are none at all are said to be missing', async () => {
    await expectCode(new Resolver({ servers: [] }).resolve(`http://${WWW}/`), 'RESOLVER')
  })
})
