// A server for `npm run bench:dns` in a process of its own: `echo`, the least that Node can do with a datagram, or `dns`, a DNS server
// with one running service among a hundred. Reports its port, and at a message the CPU time that it used since the last one.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { DnsServer } from '../src/jitsu/dns/dns-server.js'
import type { Service, Services } from '../src/jitsu/summon.js'

export interface SubjectReport {
  readonly port?: number
  readonly cpuMicros?: number
}

const report = (message: SubjectReport): void => void process.send?.(message)

async function listenEcho(): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => socket.send(message, from.port, from.address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket.address().port
}

async function listenDns(): Promise<number> {
  return (await DnsServer.listen({ listen: '127.0.0.1:0', services: running(100), hostId: '0'.repeat(32) })).port
}

function running(count: number): Services {
  const services = Array.from({ length: count }, (_, i): Service => {
    const name = i === 0 ? 'www' : `service-${i}`
    return {
      ...{ name, dns: [`${name}.example.org`], addresses: ['192.0.2.1'], reply: 'ready', state: 'ready' },
      instance: undefined,
      touch: () => undefined,
      summon: () => Promise.resolve(),
      use: () => ({ moved: () => undefined, release: () => undefined }),
      sawFirstByte: () => undefined,
    }
  })
  return {
    size: count,
    byName: (name) => services.find((service) => service.name === name),
    byDns: (name) => services.find(({ dns }) => dns.includes(name)),
    onChange: () => () => undefined,
    [Symbol.iterator]: () => services[Symbol.iterator](),
  }
}

let last = process.cpuUsage()
process.on('message', () => {
  const { user, system } = process.cpuUsage(last)
  last = process.cpuUsage()
  report({ cpuMicros: user + system })
})
process.on('disconnect', () => process.exit())
report({ port: process.argv[2] === 'echo' ? await listenEcho() : await listenDns() })
