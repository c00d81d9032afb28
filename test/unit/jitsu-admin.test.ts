// The admin address: what it shows, to whom, and what a client can take from it.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect } from 'chai'
import { AdminServer } from '../../src/jitsu/admin/admin-server.js'
import { silentLogger } from '../../src/jitsu/logger.js'
import type { Timeline } from '../../src/jitsu/timeline.js'
import { AdminWorld, idleService, timelineOf, warmService } from '../support/admin-world.js'
import { eventually } from '../support/eventually.js'
import { rejectionOf } from '../support/expect-rejection.js'
import { readXml } from '../support/well-formed-xml.js'

describe('the admin address', () => {
  let world: AdminWorld
  beforeEach(async () => {
    world = await AdminWorld.listen()
  })
  afterEach(() => world.close())

  it('says that jitsud can do its work, and with 503 what keeps it from it', async () => {
    const well = await world.ask('/healthz')
    expect([well.status, JSON.parse(well.body)]).to.deep.equal([200, { status: 'ok', problems: [] }])
    world.problems = ['the store is gone']
    const ill = await world.ask('/healthz')
    expect([ill.status, JSON.parse(ill.body)]).to.deep.equal([
      503,
      { status: 'failing', problems: ['the store is gone'] },
    ])
  })

  it('shows services with their states and how the last summon went', async () => {
    const { status, headers, body } = await world.ask('/status')
    expect([status, headers['content-type']]).to.deep.equal([200, 'application/json; charset=utf-8'])
    const [www, mail] = (JSON.parse(body) as { services: unknown[] }).services
    expect(www).to.deep.include({ name: 'www', state: 'ready', pid: 77, domid: null })
    expect(www).to.have.deep.property('lastSummon', {
      number: 1,
      startedAtMs: 1_700_000_000_000,
      outcome: 'ready',
      readyMs: 40,
      error: null,
    })
    expect(mail).to.deep.include({ name: 'mail', state: 'stopped', lastSummon: null, pool: null })
  })

  it('shows timelines of all services, or of one', async () => {
    world.summons = [timelineOf('www'), timelineOf('mail', { number: 4 })]
    expect(JSON.parse((await world.ask('/timeline')).body)).to.deep.equal(world.summons)
    expect(JSON.parse((await world.ask('/timeline?name=mail')).body)).to.deep.equal([world.summons[1]])
    expect((await world.ask('/timeline?name=none')).status).to.equal(404)
  })

  it('draws them as an image that runs nothing', async () => {
    const { headers, body } = await world.ask('/timeline.svg?name=www')
    expect(headers['content-type']).to.equal('image/svg+xml')
    expect(headers['content-security-policy']).to.contain("default-src 'none'")
    expect(readXml(body).texts).to.include('www, summon 1: ready after 40.0 ms')
  })

  it('answers HEAD with the headers of GET and no body', async () => {
    const [get, head] = [await world.ask('/status'), await world.ask('/status', { method: 'HEAD' })]
    expect([head.status, head.headers['content-length'], head.body]).to.deep.equal([
      200,
      get.headers['content-length'],
      '',
    ])
  })

  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']) {
    it(`refuses ${method}, and names what it takes`, async () => {
      const { status, headers } = await world.ask('/status', { method })
      expect([status, headers.allow]).to.deep.equal([405, 'GET, HEAD'])
    })
  }

  it('names its pages at / and where there is none', async () => {
    const [index, none] = [await world.ask('/'), await world.ask('/none')]
    expect([index.status, none.status]).to.deep.equal([200, 404])
    for (const { body } of [index, none]) expect(body).to.contain('/metrics').and.contain('/timeline.svg')
  })

  for (const path of ['/timeline?name=%', '/timeline?name=%00', '/timeline?name=../../etc/passwd', '/%2e%2e/status']) {
    it(`has no such service or page at ${path}`, async () => {
      expect((await world.ask(path)).status).to.equal(404)
    })
  }

  for (const host of ['127.0.0.1:9180', 'localhost', 'LOCALHOST.:80', '[::1]:9180', '192.0.2.7']) {
    it(`answers who asks for it as ${host}`, async () => {
      expect((await world.ask('/status', { headers: { host } })).status).to.equal(200)
    })
  }

  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:9180', '[evil]', 'a:b:c']) {
    it(`tells nothing to a page that was found as "${host}"`, async () => {
      const { status, body } = await world.ask('/status', { headers: { host } })
      expect(status).to.equal(421)
      expect(body).to.not.contain('www')
    })
  }

  it('answers to the names that it was given', async () => {
    const named = await AdminWorld.listen({}, ['Admin.example.org'])
    const { status } = await named.ask('/status', { headers: { host: 'admin.example.org:80' } })
    await named.close()
    expect(status).to.equal(200)
  })

  it('says that something failed, and what failed to the log alone', async () => {
    world.status = () => {
      throw new Error('a secret path')
    }
    const { status, body } = await world.ask('/status')
    expect(status).to.equal(500)
    expect(body).to.not.contain('secret')
    expect((await world.ask('/healthz')).status).to.equal(200)
  })

  it('is closed twice without harm, and cuts off who still asks', async () => {
    const idle = world.raw()
    await once(idle, 'connect')
    const gone = once(idle, 'close')
    await Promise.all([world.server.close(), world.server.close()])
    await gone
  })
})

describe('a client of the admin address', () => {
  let world: AdminWorld
  afterEach(() => world.close())

  for (const [what, bytes] of [
    ['half a header', 'GET /status HTTP/1.1\r\nHo'],
    ['a body that never comes', 'GET /none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n'],
    ['nothing', ''],
  ] as const) {
    it(`that sends ${what} is let go`, async () => {
      world = await AdminWorld.listen({ requestMs: 40, idleMs: 80 })
      const client = world.raw()
      const gone = once(client.resume(), 'close')
      client.write(bytes)
      await gone
    })
  }

  it('that reads nothing is let go', async () => {
    world = await AdminWorld.listen({ idleMs: 60, connections: 1 })
    world.summons = Array.from({ length: 40_000 }, (_, number) => timelineOf('www', { number, error: 'x'.repeat(200) }))
    const client = world.raw()
    client.pause()
    client.write('GET /timeline HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(client, 'ready')
    expect(await rejectionOf(world.ask('/healthz'))).to.include({ code: 'ECONNRESET' })
    await eventually(() =>
      world.ask('/healthz').then(
        ({ status }) => status === 200,
        () => false,
      ),
    )
  })

  it('cannot take the places of all: those beyond are dropped, and those within are answered', async () => {
    world = await AdminWorld.listen({ connections: 3 })
    const within = [world.raw(), world.raw(), world.raw()]
    await Promise.all(within.map((client) => once(client, 'connect')))
    const beyond = world.raw()
    await once(beyond.resume(), 'close')
    within[0]!.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    expect(await text(within[0]!)).to.match(/^HTTP\/1\.1 200 /)
  })

  for (const [what, bytes, status] of [
    ['garbage', '\u0000\u0001garbage\r\n\r\n', 400],
    ['no Host', 'GET /status HTTP/1.1\r\n\r\n', 400],
    ['an old version without Host', 'GET /status HTTP/1.0\r\n\r\n', 421],
    ['an empty Host', 'GET /status HTTP/1.1\r\nHost:\r\n\r\n', 421],
    ['headers without end', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['two lengths', 'GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400],
  ] as const) {
    it(`that sends ${what} gets ${status}`, async () => {
      world = await AdminWorld.listen()
      const client = world.raw()
      client.end(bytes)
      expect(await text(client)).to.match(new RegExp(`^HTTP/1\\.[01] ${status} `))
      expect((await world.ask('/healthz')).status).to.equal(200)
    })
  }
})

describe('an admin address that cannot be', () => {
  const attempt = (host: string, port: number) =>
    rejectionOf(AdminServer.listen({ listen: { host, port }, source: new AdminWorld(), log: silentLogger }))

  it('names itself and its key where it is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const error = await attempt('127.0.0.1', port)
    other.close()
    expect(error).to.include({ code: 'EADDRINUSE', endpoint: `127.0.0.1:${port}` })
    expect(error).to.have.property('message').that.contains(`admin.listen: 127.0.0.1:${port}`)
    expect(error).to.have.property('hint').that.contains('change admin.listen')
  })

  it('says so where the machine has none such', async () => {
    expect(await attempt('192.0.2.1', 0)).to.include({ code: 'EINVAL', errno: 'EADDRNOTAVAIL' })
  })
})

describe('the metrics of jitsud', () => {
  let world: AdminWorld
  beforeEach(async () => {
    world = await AdminWorld.listen()
  })
  afterEach(() => world.close())
  const lines = async (): Promise<string[]> => (await world.ask('/metrics')).body.split('\n')

  it('are Prometheus’ text format', async () => {
    const { headers, body } = await world.ask('/metrics')
    expect(headers['content-type']).to.equal('text/plain; version=0.0.4; charset=utf-8')
    const odd = body
      .split('\n')
      .filter((line) => !/^(#.*|[a-z_]+(\{([a-z]+="[^"\\\n]*",?)*\})? [\d.e+-]+|)$/.test(line))
    expect(odd).to.deep.equal([])
  })

  it('count services by state, and say where each is', async () => {
    world.services.push(idleService('shop', 'ready'))
    expect(await lines()).to.include.members([
      'jitsud_services{state="ready"} 2',
      'jitsud_services{state="stopped"} 1',
      'jitsud_services{state="starting"} 0',
      'jitsud_service_state{service="www",state="ready"} 1',
    ])
    world.services = [idleService('www', 'stopping')]
    const later = await lines()
    expect(later).to.include('jitsud_service_state{service="www",state="stopping"} 1')
    expect(later.filter((line) => line.startsWith('jitsud_service_state{'))).to.have.length(1)
  })

  it('count summons by outcome, and put the times of those that went well into buckets', async () => {
    const observed: Partial<Timeline>[] = [
      { number: 1, steps: { query: 0, ready: 40 } },
      { number: 1, steps: { query: 0, ready: 40, firstByte: 60 } },
      { number: 2, steps: { query: 0, ready: 2000 } },
      { number: 3, outcome: 'failed', steps: { query: 0, launch: 3 } },
      { number: 4, outcome: undefined },
    ]
    for (const changes of observed) world.metricsOf.observe(timelineOf('www', changes))
    expect(await lines()).to.include.members([
      'jitsud_summons_total{service="www",outcome="ready"} 2',
      'jitsud_summons_total{service="www",outcome="failed"} 1',
      'jitsud_boot_seconds_bucket{le="0.025",service="www"} 0',
      'jitsud_boot_seconds_bucket{le="0.05",service="www"} 1',
      'jitsud_boot_seconds_bucket{le="+Inf",service="www"} 2',
      'jitsud_boot_seconds_sum{service="www"} 2.04',
    ])
  })

  it('forget a service that has gone', async () => {
    world.metricsOf.observe(timelineOf('www'))
    world.metricsOf.forget('www')
    expect((await lines()).filter((line) => /^jitsud_(summons|boot).*www/.test(line))).to.deep.equal([])
  })

  it('have the counters of the DNS server and of held addresses as they are when somebody asks', async () => {
    world.dnsCounters = { queries: 5, tcpQueries: 2 }
    world.heldCounters = [{ service: 'www', address: '127.0.0.1:80', counters: { accepted: 3, waiting: 2 } }]
    await lines()
    world.dnsCounters = { queries: 7, tcpQueries: 2, answers: { NOERROR: 4, NXDOMAIN: 1 } }
    expect(await lines()).to.include.members([
      'jitsud_dns_queries_total 7',
      'jitsud_dns_tcp_queries_total 2',
      'jitsud_dns_answers_total{code="NXDOMAIN"} 1',
      'jitsud_hold_accepted_total{service="www",address="127.0.0.1:80"} 3',
      'jitsud_hold_waiting{service="www",address="127.0.0.1:80"} 2',
    ])
    world.heldCounters = []
    expect((await lines()).filter((line) => line.startsWith('jitsud_hold_accepted_total'))).to.deep.equal([])
  })

  it('have what is kept warm, of services that keep any', async () => {
    world.services = [idleService('www'), warmService('shop')]
    expect((await lines()).filter((line) => line.startsWith('jitsud_pool_'))).to.have.members([
      'jitsud_pool_ready{service="shop"} 2',
      'jitsud_pool_wanted{service="shop"} 3',
      'jitsud_pool_memory_bytes{service="shop"} 3145728',
      'jitsud_pool_prepared_total{service="shop"} 5',
      'jitsud_pool_taken_total{service="shop"} 2',
      'jitsud_pool_empty_total{service="shop"} 1',
      'jitsud_pool_failed_total{service="shop"} 0',
      'jitsud_pool_died_total{service="shop"} 1',
    ])
  })

  it('have the process’s own numbers', async () => {
    const all = await lines()
    for (const name of ['process_resident_memory_bytes', 'process_open_fds', 'process_cpu_seconds_total']) {
      const line = all.find((one) => one.startsWith(`${name} `))
      expect(Number(line?.split(' ')[1])).to.be.above(0)
    }
  })
})
