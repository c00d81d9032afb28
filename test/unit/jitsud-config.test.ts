import { expect } from 'chai'
import { type JitsudConfig, parseJitsudConfig } from '../../protocol/jitsud-config.js'
import { ConduitError } from '../../src/errors.js'
import { configFromText } from '../../src/jitsu/read-config.js'

const www = { name: 'www', launcher: { kind: 'process', command: ['node', 'server.js'] } }

function faults(config: unknown): string[] {
  const parsed = parseJitsudConfig(config)
  return parsed.ok ? [] : parsed.faults.map(({ path, problem, accepted }) => `${path} | ${problem} | ${accepted}`)
}

function accepted(config: unknown): JitsudConfig {
  const parsed = parseJitsudConfig(config)
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults))
  return parsed.config
}

const service = (change: object): unknown => ({ services: [{ ...www, ...change }] })
const serviceFaults = (change: object): string[] => faults(service(change))

describe('jitsud configuration', () => {
  it('has a default for all but the name and the launcher', () => {
    expect(accepted({ services: [www] }).services).to.deep.equal([
      {
        name: 'www',
        dns: [],
        addresses: [],
        ports: {},
        launcher: { kind: 'process', command: ['node', 'server.js'], env: {} },
        ready: { when: 'conduit', timeoutSeconds: 10 },
        reply: 'ready',
        idleSeconds: 0,
        stop: 'destroy',
        stopSeconds: 30,
        keepWarm: 0,
        hold: [],
      },
    ])
  })

  it('takes every key of the documentation', () => {
    const config = accepted({
      dns: { listen: '127.0.0.1:5353', ttl: 60, forward: ['192.0.2.1', '[2001:db8::1]:5300'] },
      admin: { listen: '127.0.0.1:9180' },
      stateFile: '/var/lib/jitsud/state.json',
      pool: { maxMemory: '1GiB' },
      services: [
        {
          name: 'WWW',
          dns: ['www.Example.org.'],
          addresses: ['127.0.0.1', '2001:DB8::2'],
          ports: { http: 8080 },
          launcher: { kind: 'process', command: ['node', 'server.js'], env: { A: 'b' }, cwd: '/srv' },
          ready: { when: 'key', value: '1', timeoutSeconds: 2 },
          reply: 'started',
          idleSeconds: 120,
          stop: 'shutdown',
          stopSeconds: 5,
          keepWarm: 2,
        },
      ],
    })
    expect(config.dns).to.deep.equal({
      listen: '127.0.0.1:5353',
      ttl: 60,
      forward: ['192.0.2.1:53', '[2001:db8::1]:5300'],
    })
    expect(config.pool).to.deep.equal({ maxMemoryMib: 1024 })
    expect(config.services[0]).to.deep.include({
      name: 'www',
      dns: ['www.example.org'],
      ports: { http: 8080 },
      keepWarm: 2,
    })
    expect(config.services[0]?.addresses).to.deep.equal(['127.0.0.1', '2001:db8::2'])
    expect(config.services[0]?.ready).to.deep.equal({
      when: 'key',
      key: 'data/jitsu/ready',
      value: '1',
      delaySeconds: 0,
      timeoutSeconds: 2,
    })
  })

  it('bounds what is kept warm, by 256 MiB unless told otherwise', () => {
    expect(accepted({ services: [] }).pool).to.deep.equal({ maxMemoryMib: 256 })
    expect(accepted({ services: [], pool: {} }).pool).to.deep.equal({ maxMemoryMib: 256 })
    expect(faults({ services: [], pool: { maxMemory: 'much' } })).to.deep.equal([
      'pool.maxMemory | "much" is not accepted | memory with its unit, "64MiB", "65536KiB" or "1GiB"; a bare number is MiB',
    ])
    expect(faults({ services: [], pool: { memory: 1 } })).to.deep.equal([
      'pool.memory | there is no such key | the keys maxMemory',
    ])
  })

  it('answers at once where an address is held, unless told otherwise', () => {
    const hold = [{ address: '127.0.0.1:8080', handover: 'fd' }]
    expect(accepted(service({ hold })).services[0]?.reply).to.equal('immediate')
    expect(accepted(service({ hold, reply: 'ready' })).services[0]?.reply).to.equal('ready')
  })

  it('names an unknown key by its path, with the keys there are', () => {
    expect(faults({ services: [], service: [] })).to.deep.equal([
      'service | there is no such key | the keys dns, admin, stateFile, pool, services',
    ])
    expect(serviceFaults({ ready: { when: 'key', timeout: 3 } })).to.deep.equal([
      'services[0].ready.timeout | there is no such key | the keys when, key, value, delaySeconds, timeoutSeconds',
    ])
    expect(serviceFaults({ launcher: { ...www.launcher, 'en v': 1 } })[0]).to.match(
      /^services\[0\]\.launcher\["en v"\]/,
    )
  })

  it('names a missing key', () => {
    expect(faults({})).to.deep.equal(['services | is missing | a list of services'])
    expect(faults({ services: [{ launcher: www.launcher }] })[0]).to.match(
      /^services\[0\]\.name \| is missing \| a conduit name/,
    )
    expect(faults({ services: [{ name: 'www' }] })).to.deep.equal([
      'services[0].launcher | is missing | an object with "kind": "process", "xl", "xen", "libvirt" or "module"',
    ])
  })

  it('names the accepted values of a wrong one', () => {
    expect(serviceFaults({ ready: { when: 'later' } })).to.deep.equal([
      'services[0].ready.when | "later" is not accepted | "conduit", "key", "port" or "delay"',
    ])
    expect(serviceFaults({ launcher: {} })[0]).to.match(
      /^services\[0\]\.launcher\.kind \| is missing \| "process", "xl", "xen"/,
    )
    expect(serviceFaults({ launcher: { kind: 'docker' } })[0]).to.match(
      /^services\[0\]\.launcher\.kind \| "docker" is not/,
    )
    expect(serviceFaults({ reply: 'soon' })[0]).to.match(
      /reply \| "soon" is not accepted \| "ready", "started" or "imm/,
    )
    expect(serviceFaults({ stop: 'kill' })[0]).to.match(/stop \| "kill" .* "destroy", "shutdown" or "suspend"/)
    expect(serviceFaults({ idleSeconds: -1 })[0]).to.match(/idleSeconds \| -1 is not accepted \| seconds, 0 for never/)
    expect(serviceFaults({ idleSeconds: '120' })[0]).to.match(/idleSeconds \| "120" is not accepted \| seconds/)
    expect(serviceFaults({ keepWarm: 1.5 })[0]).to.match(/keepWarm \| 1.5 is not accepted/)
    expect(faults({ dns: { listen: 'localhost:53' }, services: [] })[0]).to.match(
      /^dns\.listen \| "localhost:53" is not/,
    )
    expect(faults({ dns: { listen: '127.0.0.1:65536' }, services: [] })).to.have.length(1)
    expect(faults([])[0]).to.match(/^ \| \[\] is not accepted/)
    expect(faults(null)).to.have.length(1)
  })

  it('refuses two services of one name, of one DNS name, of one held address', () => {
    const other = { ...www, name: 'other' }
    expect(faults({ services: [www, { ...www, name: 'WWW' }] })).to.deep.equal([
      'services[1].name | "www" belongs to service "www" already | a name that no other service has',
    ])
    expect(
      faults({
        services: [
          { ...www, dns: ['a.example.org'] },
          { ...other, dns: ['b.example.org', 'A.example.org.'] },
        ],
      }),
    ).to.deep.equal([
      'services[1].dns[1] | "a.example.org" belongs to service "www" already | a DNS name that no other service has',
    ])
    const hold = [{ address: '127.0.0.1:8080', handover: 'fd' }]
    expect(
      faults({
        services: [
          { ...www, hold },
          { ...other, hold },
        ],
      })[0],
    ).to.match(/^services\[1\]\.hold\[0\]\.address/)
  })

  it('refuses names that cannot be one, and that of jitsud itself', () => {
    for (const name of ['', 'a b', '-a', '42', 'a.b', 'jitsud', 'flows', 'x'.repeat(64)]) {
      expect(serviceFaults({ name }), name).to.have.length(1)
    }
    for (const dns of ['', '.', 'a..b', '-a.org', `${'x'.repeat(64)}.org`, `${'a.'.repeat(127)}org`]) {
      expect(serviceFaults({ dns: [dns] }), dns).to.have.length(1)
    }
  })

  it('refuses a probe that has nowhere to go, and a delay beyond its own limit', () => {
    expect(serviceFaults({ ready: { when: 'port', port: 80 } })[0]).to.match(
      /^services\[0\]\.ready\.address \| is missing/,
    )
    expect(serviceFaults({ ready: { when: 'port', port: 80 }, addresses: ['127.0.0.1'] })).to.deep.equal([])
    expect(serviceFaults({ ready: { when: 'delay', delaySeconds: 10 } })[0]).to.match(
      /^services\[0\]\.ready\.timeoutSeco/,
    )
    for (const key of ['/a', 'a/', 'a//b', '../1/data', 'a/../b', 'a b', '']) {
      expect(serviceFaults({ ready: { when: 'key', key } }), key).to.have.length(1)
    }
  })
})

describe('memory of a domain', () => {
  const memory = (given: unknown): unknown =>
    accepted(service({ launcher: { kind: 'xl', kernel: '/k', memory: given } })).services[0]?.launcher

  it('is whole MiB, whatever its unit', () => {
    for (const [given, memoryMib] of [
      ['64MiB', 64],
      ['64 MiB', 64],
      ['65536KiB', 64],
      ['64000KiB', 63],
      ['1GiB', 1024],
      [64, 64],
      ['64', 64],
    ]) {
      expect(memory(given), String(given)).to.include({ memoryMib })
    }
  })

  it('is refused in units that mean two things, below one MiB and beyond what there can be', () => {
    for (const given of ['64MB', '64m', '0MiB', '-1', 0, -4, 1.5, Number.NaN, '9999999999GiB', null, {}]) {
      const found = serviceFaults({ launcher: { kind: 'xl', kernel: '/k', memory: given } })
      expect(found[0], String(given)).to.match(/^services\[0\]\.launcher\.memory \| .* \| memory with its unit/)
    }
  })
})

describe('keys of xl.cfg', () => {
  const xl = (launcher: object): string[] => serviceFaults({ launcher: { kind: 'xl', kernel: '/k', ...launcher } })

  it('that have one of their own are refused among the extra ones', () => {
    expect(xl({ extra: { pci: ['01:00.0'], iommu: true, maxvcpus: 4 } })).to.deep.equal([])
    for (const key of ['name', 'memory', 'on_crash', 'a b', 'x=1\ny']) {
      expect(xl({ extra: { [key]: 1 } }), key).to.have.length(1)
    }
  })

  it('take one line', () => {
    expect(xl({ cmdline: 'a\nb' })).to.have.length(1)
    expect(xl({ extra: { bios: 'a\nb' } })).to.have.length(1)
    expect(xl({ kernel: 'relative' })).to.have.length(1)
  })
})

describe('a configuration file', () => {
  it('that is no JSON is refused by name', () => {
    const read = () => configFromText('{ "services": [], }', '/etc/jitsud.json')
    expect(read)
      .to.throw(ConduitError, /\/etc\/jitsud\.json is no JSON/)
      .with.property('code', 'CONFIG')
  })

  it('is refused with the path of each wrong key, and what is accepted there', () => {
    const read = () => configFromText('{"services": [{"name": "www", "launcher": {"kind": "vmware"}, "idle": 3}]}', 'f')
    expect(read).to.throw(
      ConduitError,
      /^f: services\[0\]\.launcher\.kind: "vmware" is not accepted; services\[0\]\.idle: there is/,
    )
    expect(read).to.throw().with.property('hint').that.includes('services[0].idle takes the keys name, dns, ')
  })

  it('with a thousand faults tells of the first few', () => {
    const services = Array.from({ length: 1000 }, () => ({ name: 'a b' }))
    const read = () => configFromText(JSON.stringify({ services }), 'f')
    expect(read).to.throw(/and 1992 more$/)
  })
})
