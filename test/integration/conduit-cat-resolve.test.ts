// conduit-cat resolve as a real process, against DNS servers on real sockets.
import { expect } from 'chai'
import { formatDiscoveryParams } from '../../protocol/conduit-discovery.js'
import { dnsTypeName } from '../../protocol/dns.js'
import { CatProcesses, type CatProcessOptions, type Ending } from '../support/cat-process.js'
import { a, svcb } from '../support/dns-zone.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'
import { type Asked, ScriptedDnsServer } from '../support/scripted-dns-server.js'

const HOST = 'www.example.org'
const CONDUIT = `_conduit.${HOST}`

function questionOf({ message }: Asked) {
  const { name, type } = message.questions[0]!
  return { name: name.replace(/\.$/, ''), type: dnsTypeName(type) }
}

describe('conduit-cat resolve', () => {
  let world: LocalWorld
  let cats: CatProcesses
  let dns: ScriptedDnsServer
  beforeEach(async () => {
    world = localWorld()
    cats = new CatProcesses(world.directory)
    dns = await ScriptedDnsServer.listen((asked) => {
      const { name, type } = questionOf(asked)
      if (name === HOST && type === 'A') asked.answer({ answers: [a(HOST, '192.0.2.7')] })
      else asked.answer()
    })
  })
  afterEach(async () => {
    await cats.close()
    await world.close()
    await dns.close()
  })

  async function run(
    args: readonly string[],
    options?: CatProcessOptions,
  ): Promise<{ status: Ending; out: string; err: string }> {
    const started = cats.start(['resolve', ...args], { stdin: 'ignore', ...options })
    const status = await started.ended
    return { status, out: started.output, err: started.complaints }
  }

  it('shows the rule, the service and the endpoint as URI and s-expression', async () => {
    const { status, out } = await run(['https://foo.xen/'])
    expect(status).to.equal(0)
    expect(out).to.match(/ rule +\.xen: conduit$/m)
    expect(out).to.match(/ service +https: TCP port 443, from the table of services, over TLS$/m)
    expect(out).to.match(/^endpoint +tls\+vchan:\/\/foo\/https\?host=foo\.xen$/m)
    expect(out).to.match(/^as sexp +\(TLS \(foo\.xen \(Vchan_domain_socket \(foo https\)\)\)\)$/m)
    expect(dns.asked).to.have.length(0)
  })

  it('shows each question to DNS with server, type, answer and time, as text and as JSON', async () => {
    const { status, out } = await run([`http://${HOST}/`, '--dns', dns.address])
    expect(status).to.equal(0)
    expect(out).to.contain(`A ${HOST} from ${dns.address}: NOERROR, 192.0.2.7`)
    expect(out).to.contain(`AAAA ${HOST} from ${dns.address}: NOERROR, no records`)
    const json = await run([`http://${HOST}/`, '--json'], { env: { CONDUIT_DNS: dns.address } })
    const { endpoint, uri, sexp, steps } = JSON.parse(json.out)
    expect(endpoint).to.deep.equal({ kind: 'tcp', address: '192.0.2.7', port: 80 })
    expect({ uri, sexp }).to.deep.equal({ uri: 'tcp://192.0.2.7:80', sexp: '(TCP (192.0.2.7 80))' })
    for (const { atMs, ms } of steps)
      expect([atMs, ms].every((time) => typeof time === 'number' && time >= 0)).to.equal(true)
  })

  it('compares the host that DNS names with this one', async () => {
    const listener = await cats.listen(['-l', 'www'])
    const elsewhere = 'f'.repeat(32)
    dns.onQuery = (asked) => {
      const { name, type } = questionOf(asked)
      if (name === HOST && type === 'A') asked.answer({ answers: [a(HOST, '192.0.2.7')] })
      else if (name === CONDUIT) {
        const params = formatDiscoveryParams({ name: 'www', port: undefined, hostId: elsewhere })
        asked.answer({ answers: [svcb(CONDUIT, params)] })
      } else asked.answer()
    }
    const { status, out } = await run([`http://${HOST}/`, '--dns', dns.address])
    expect(status).to.equal(0)
    expect(out).to.match(/ host-id +[0-9a-f]{32}$/m)
    expect(out).to.match(new RegExp(` compare +conduit www is on host ${elsewhere}, not on this one$`, 'm'))
    listener.kill('SIGTERM')
    await listener.ended
  })

  it('ends with 1 where the name leads nowhere, with the steps so far', async () => {
    const { status, out, err } = await run(['http://nosuch.example/', '--dns', dns.address])
    expect(status).to.equal(1)
    expect(out).to.contain(`A nosuch.example from ${dns.address}`)
    expect(err).to.match(/^conduit-cat: ENOTFOUND: nosuch\.example[^\n]+\n$/)
    const json = await run(['http://nosuch.example/', '--dns', dns.address, '--json'])
    expect(JSON.parse(json.out)).to.deep.include({ query: 'http://nosuch.example/', endpoint: null })
    expect(JSON.parse(json.out).error.code).to.equal('ENOTFOUND')
  })

  it('ends with 2 for what is no address, no server, or nothing at all', async () => {
    for (const args of [['http://a..b/'], ['tcp://127.0.0.1'], ['no such name'], [HOST, '--dns', 'localhost'], []]) {
      const { status, err } = await run(args)
      expect(status, args.join(' ')).to.equal(2)
      expect(err).to.match(/^conduit-cat: [^\n]+\n$/)
    }
  })

  it('a silent server costs no more than -w, and SIGTERM ends the wait', async () => {
    dns.onQuery = () => undefined
    const late = await run([`http://${HOST}/`, '--dns', dns.address, '-w', '0.2'])
    expect(late.status).to.equal(1)
    expect(late.err).to.match(/ETIMEDOUT/)
    const asked = dns.asked.length
    const waiting = cats.start(['resolve', `http://${HOST}/`, '--dns', dns.address], { stdin: 'ignore' })
    await new Promise<void>((resolve) => {
      dns.onQuery = () => resolve()
      if (dns.asked.length > asked) resolve()
    })
    waiting.kill('SIGTERM')
    expect(await waiting.ended).to.equal(143)
  })

  it('what a server writes into a record cannot forge a line', async () => {
    dns.onQuery = (asked) => {
      const { name, type } = questionOf(asked)
      if (name === HOST && type === 'A') asked.answer({ answers: [a(HOST, '192.0.2.7')] })
      else if (name === CONDUIT && type === 'TXT') {
        asked.answer({
          answers: [{ name: CONDUIT, ttl: 1, type: 'TXT', texts: [Buffer.from('x\nendpoint    tcp://6.6.6.6:6')] }],
        })
      } else asked.answer()
    }
    const listener = await cats.listen(['-l', 'www'])
    const { out } = await run([`http://${HOST}/`, '--dns', dns.address])
    expect(out.match(/^endpoint/gm)).to.have.length(1)
    expect(out).to.contain('\\nendpoint')
    listener.kill('SIGTERM')
    await listener.ended
  })
})
