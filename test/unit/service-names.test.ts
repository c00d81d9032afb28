// Schemes and their ports, against the copy of IANA's registry that the system has.
import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'chai'
import { SERVICE_NAMES, serviceNamed, servicePortName } from '../../protocol/service-names.js'

/** Debian's netbase, made from the registry. */
const ETC_SERVICES = '/etc/services'

describe('service names', () => {
  it('say port and TLS', () => {
    expect(serviceNamed('http')).to.deep.equal({ name: 'http', port: 80, tls: false })
    expect(serviceNamed('HTTPS')).to.deep.equal({ name: 'https', port: 443, tls: true })
    expect(serviceNamed('imaps')).to.deep.equal({ name: 'imaps', port: 993, tls: true })
    expect(serviceNamed('ldaps')).to.deep.equal({ name: 'ldaps', port: 636, tls: true })
    expect(serviceNamed('smtp')).to.deep.equal({ name: 'smtp', port: 25, tls: false })
    expect(serviceNamed('wss')).to.deep.equal({ name: 'https', port: 443, tls: true })
  })

  it('that are not in the table are none, nor is what every object has', () => {
    for (const name of ['', 'nosuch', 'constructor', 'toString', '__proto__']) {
      expect(serviceNamed(name), name).to.equal(undefined)
    }
  })

  it('have each a port of their own', () => {
    for (const name of SERVICE_NAMES) expect(servicePortName(serviceNamed(name)!.port), name).to.equal(name)
    expect(servicePortName(1)).to.equal(undefined)
  })

  it("agree with the system's list where both have them", function () {
    if (!existsSync(ETC_SERVICES)) this.skip()
    const lines = readFileSync(ETC_SERVICES, 'utf8').matchAll(/^([a-z0-9-]+)\s+([0-9]+)\/tcp/gm)
    const listed = new Map([...lines].map(([, name, port]) => [name!, Number(port)]))
    const common = SERVICE_NAMES.filter((name) => listed.has(name))
    expect(common).to.include.members(['http', 'https', 'imaps', 'ldaps', 'ssh'])
    for (const name of common) expect(serviceNamed(name)!.port, name).to.equal(listed.get(name))
  })
})
