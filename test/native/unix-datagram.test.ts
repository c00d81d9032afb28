// Datagrams to unix sockets: they arrive at paths and at abstract names, with this process as their sender.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { native } from '../../src/native.js'
import { eventually } from '../support/eventually.js'
import { NotifySocket } from '../support/notify-socket.js'

const openFds = (): number => readdirSync('/proc/self/fd').length

describe('addon: unix datagrams', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'conduit-datagram-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  for (const [kind, name] of [
    ['a path', () => join(directory, 'notify')],
    ['an abstract name', () => `@${directory}/notify`],
    ['an abstract name of all 108 bytes', () => `@${directory}/`.padEnd(108, 'x')],
    ['a path of all 107 bytes', () => `${directory}/`.padEnd(107, 'x')],
  ] as const) {
    it(`arrive at ${kind}, and leave no descriptor`, async () => {
      const receiver = await NotifySocket.bind(name())
      try {
        const before = openFds()
        expect(native().unixSendTo(receiver.name, Buffer.from('READY=1'))).to.equal(true)
        expect(openFds()).to.equal(before)
        expect(await receiver.received(/READY/)).to.deep.equal({ text: 'READY=1', pid: process.pid })
      } finally {
        await receiver.close()
      }
    })
  }

  it('say when the receiver’s queue is full, and go on when it is not', async () => {
    const receiver = await NotifySocket.bind(join(directory, 'notify'))
    try {
      const bytes = Buffer.from('WATCHDOG=1')
      // This thread is faster than the receiver for as long as it does not let go.
      while (native().unixSendTo(receiver.name, bytes));
      await eventually(() => native().unixSendTo(receiver.name, Buffer.from('STOPPING=1')))
      await receiver.received(/STOPPING/)
    } finally {
      await receiver.close()
    }
  })

  for (const [what, name, code] of [
    ['nobody', '/nowhere/notify', 'ENOENT'],
    ['nobody of an abstract name', '@conduit-nobody', 'ECONNREFUSED'],
    ['an empty name', '', 'ENOENT'],
    ['a path that is too long', `/${'x'.repeat(107)}`, 'ENAMETOOLONG'],
    ['an abstract name that is too long', `@${'x'.repeat(108)}`, 'ENAMETOOLONG'],
  ] as const) {
    it(`to ${what} are ${code}`, () => {
      expect(() => native().unixSendTo(name, Buffer.from('READY=1')))
        .to.throw()
        .with.property('code', code)
    })
  }
})
