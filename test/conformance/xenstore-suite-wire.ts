// Conformance: frames and refusals, with bytes that no client of ours would send.
import { expect } from 'chai'
import { encodeStrings, encodeXenstoreMessage, XENSTORE_TYPES } from '../../protocol/xenstore-wire.js'
import { BASE, itWhere, type StoreBench } from './xenstore-suite.js'

export function describeWire(bench: StoreBench): void {
  const { rules } = bench.traits
  describe('wire', () => {
    it('copies the request number, the transaction number and the type into the reply', async () => {
      const raw = await bench.raw()
      const start = await raw.ask('TRANSACTION_START', [''], { requestId: 0xfffffffe })
      expect(start).to.include({ type: 'TRANSACTION_START', requestId: 0xfffffffe, transactionId: 0 })
      const transactionId = Number(start.strings[0])
      const read = await raw.ask('READ', ['/'], { requestId: 7, transactionId })
      expect(read).to.include({ type: 'READ', requestId: 7, transactionId })
      const none = await raw.ask('READ', ['/none'], { requestId: 8, transactionId })
      expect(none).to.include({ type: 'ERROR', requestId: 8, transactionId })
      expect(none.payload.toString()).to.equal('ENOENT\0')
    })

    it('answers every one of many requests sent at once', async () => {
      const raw = await bench.raw()
      const ids = Array.from({ length: 200 }, (_, index) => index + 1)
      for (const requestId of ids) raw.send('GET_DOMAIN_PATH', ['5'], { requestId })
      const replies = []
      for (const _ of ids) replies.push((await raw.reply()).requestId)
      expect(replies).to.have.members(ids)
    })

    it('takes a request byte by byte', async () => {
      const raw = await bench.raw()
      const payload = encodeStrings(['5'])
      const type = XENSTORE_TYPES.GET_DOMAIN_PATH
      const bytes = encodeXenstoreMessage({ type, requestId: 3, transactionId: 0, payload })
      for (const byte of bytes) raw.transport.send(Uint8Array.of(byte))
      expect((await raw.reply()).strings).to.deep.equal(['/local/domain/5'])
    })

    it('acknowledges with OK', async () => {
      const raw = await bench.raw()
      for (const [type, payload] of [
        ['WRITE', encodeStrings([`${BASE}/x`], Buffer.from('1'))],
        ['MKDIR', encodeStrings([`${BASE}/y`])],
        ['RM', encodeStrings([BASE])],
      ] as const) {
        expect((await raw.ask(type, payload)).payload.toString(), type).to.equal('OK\0')
      }
    })

    it('refuses paths that cannot be', async () => {
      const raw = await bench.raw()
      // oxenstored makes a node of any @ name.
      const special = rules.strictWire ? ['@nothing'] : []
      for (const path of ['', '//', '/a//b', '/a/', '/a.b', '/a b', '/ä', '/a\tb', ...special]) {
        expect(await raw.refusal('READ', [path]), JSON.stringify(path)).to.be.oneOf(['EINVAL', 'ENOENT'])
        expect(await raw.refusal('MKDIR', [path]), JSON.stringify(path)).to.be.oneOf(['EINVAL', 'ENOENT'])
      }
    })

    itWhere(rules.strictWire, 'refuses payloads without their NUL and with too many strings', async () => {
      const raw = await bench.raw()
      for (const [type, payload] of [
        ['READ', Buffer.from('/')],
        ['READ', Buffer.alloc(0)],
        ['READ', ['/', '/']],
        ['WRITE', Buffer.from('/no-nul')],
        ['WATCH', ['/']],
        ['SET_PERMS', ['/']],
      ] as const) {
        // C up to 4.17 leaves the errno of some earlier request.
        expect(await raw.refusal(type, payload), `${type} ${JSON.stringify(payload)}`).to.match(/^E[A-Z]+$/)
      }
    })

    it('refuses types that nobody may ask for, and lives on', async () => {
      const raw = await bench.raw()
      for (const type of [20, 27, 1000, 65535, 0xffffffff, XENSTORE_TYPES.WATCH_EVENT, XENSTORE_TYPES.ERROR]) {
        expect(await raw.refusal(type, ['x']), String(type)).to.be.oneOf(['ENOSYS', 'EINVAL'])
      }
      expect((await raw.ask('GET_DOMAIN_PATH', ['0'])).type).to.equal('GET_DOMAIN_PATH')
    })

    itWhere(
      rules.strictWire,
      'cuts the connection that announces a payload over 4,096 bytes, and no other',
      async () => {
        const raw = await bench.raw()
        const other = await bench.raw()
        const header = Buffer.alloc(16)
        header.writeUInt32LE(XENSTORE_TYPES.READ, 0)
        header.writeUInt32LE(4097, 12)
        raw.transport.send(header)
        await raw.closed
        expect((await other.ask('GET_DOMAIN_PATH', ['0'])).type).to.equal('GET_DOMAIN_PATH')
      },
    )

    itWhere(rules.strictWire, 'takes a payload of exactly 4,096 bytes', async () => {
      const raw = await bench.raw()
      const payload = encodeStrings([`${BASE}/full`], Buffer.alloc(4096 - BASE.length - 6, 1))
      expect(payload).to.have.length(4096)
      expect(await raw.refusal('WRITE', payload)).to.equal(undefined)
      await raw.ask('RM', [BASE])
    })
  })
}
