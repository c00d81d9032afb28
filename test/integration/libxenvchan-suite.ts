// Debian's own libxenvchan at the other end, in both roles and every mode: bytes and ends. One body for the short form and
// the full one, on any machine and on Xen.
import { expect } from 'chai'
import { ORDER } from '../../protocol/vchan-page.js'
import type { ConduitSocket } from '../../src/vchan/socket.js'
import type { CRole, InteropWorld } from '../support/interop-world.js'
import { readPattern, writePattern } from '../support/vchan-pattern.js'

export interface InteropExtent {
  /** Each way, in each combination. */
  readonly bytes: number
  /** The same for the rings in the control page, where that takes a thousand turns a MiB. */
  readonly smallRingBytes?: number
  readonly oneByteWrites: number
  /** Of each race of a close with what was written just before it. */
  readonly races: number
}

const ROLES: readonly CRole[] = ['server', 'client']
const RINGS = [
  { title: 'rings in the control page', ringBytes: 0, orders: [ORDER.SMALL, ORDER.LARGE], chunk: 1000 },
  { title: '64 KiB rings', ringBytes: 65_536, orders: [16, 16], chunk: 4096 },
  { title: '1 MiB rings', ringBytes: 1 << 20, orders: [20, 20], chunk: 65_536 },
] as const
const MODES = [
  { title: 'stream', options: [] },
  { title: 'stream, non-blocking', options: ['--nonblocking'] },
  { title: 'packets', options: ['--packet'] },
  { title: 'packets, non-blocking', options: ['--packet', '--nonblocking'] },
] as const

export function libxenvchanInterop(
  { bytes: usualBytes, smallRingBytes = usualBytes, oneByteWrites, races }: InteropExtent,
  start: (context: Mocha.Context) => Promise<InteropWorld>,
): void {
  let world: InteropWorld

  before(async function () {
    world = await start(this)
  })
  after(() => world?.close())

  for (const role of ROLES) {
    describe(`C ${role}`, () => {
      for (const ring of RINGS) {
        const bytes = ring.ringBytes === 0 ? smallRingBytes : usualBytes
        for (const mode of MODES) {
          it(`${ring.title}, ${mode.title}: bytes go both ways at once`, async () => {
            const job = ['exchange', String(bytes), '--chunk', String(ring.chunk), ...mode.options]
            const { peer, socket } = await world.meet(role, job, ring.ringBytes)
            const connected = await peer.line('connected')
            expect([Number(connected.left), Number(connected.right)]).to.deep.equal(ring.orders)
            expect(socket.halfCloseSupported).to.equal(false)
            socket.pipe(socket)
            const done = await peer.line('done')
            expect(done).to.include({ bytes: String(bytes), bad: '0' })
            await closed(socket)
            expect((await peer.exit).status).to.equal(0)
          })
        }

        it(`${ring.title}: what it writes before it closes arrives, and then the end`, async () => {
          const { peer, socket } = await world.meet(role, ['send', String(bytes)], ring.ringBytes)
          expect(await readPattern(socket)).to.equal(bytes)
          await closed(socket)
          expect((await peer.exit).status).to.equal(0)
        })

        it(`${ring.title}: it has read everything before our end closes the channel`, async () => {
          const { peer, socket } = await world.meet(role, ['receive'], ring.ringBytes)
          await writePattern(socket, bytes)
          socket.end()
          const done = await peer.line('done')
          expect(done).to.include({ bytes: String(bytes), bad: '0' })
          await closed(socket)
        })
      }

      it('single bytes go both ways', async () => {
        const job = ['exchange', String(oneByteWrites), '--chunk', '1']
        const { peer, socket } = await world.meet(role, job, 65_536)
        socket.on('data', (chunk: Buffer) => {
          for (const byte of chunk) socket.write(Buffer.of(byte))
        })
        expect(await peer.line('done')).to.include({ bytes: String(oneByteWrites), bad: '0' })
        await closed(socket)
      })

      it('nothing is lost between a write and the close right after it', async () => {
        for (let race = 1; race <= races; race++) {
          const length = (race * 7919) % 100_000
          const { socket } = await world.meet(role, ['send', String(length), '--chunk', '977'], 65_536)
          expect(await readPattern(socket), `race ${race}`).to.equal(length)
          await closed(socket)
        }
      })

      it('nothing is lost between our write and the end right after it', async () => {
        for (let race = 1; race <= races; race++) {
          const length = (race * 7919) % 100_000
          const { peer, socket } = await world.meet(role, ['receive', '--chunk', '977'], 65_536)
          await writePattern(socket, length, 3000)
          socket.end()
          expect(await peer.line('done'), `race ${race}`).to.include({ bytes: String(length), bad: '0' })
          await closed(socket)
        }
      })
    })
  }
}

/** Reads on to the end, so that the end can come. */
function closed(socket: ConduitSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    if (socket.closed) return resolve()
    socket.once('error', reject)
    socket.once('close', () => resolve())
    socket.resume()
    socket.end()
  })
}
