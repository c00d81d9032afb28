// Ends that nobody announced, between C programs on libxenvchan and the SDK: kill -9 of either side, a peer that never
// unmaps, a local hypervisor that dies or is not there. What is noticed, and that nothing hangs.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { EVENT_CHANNEL_KEY } from '../../protocol/conduit.js'
import type { LocalLibxenvchan } from '../../testbed/local-preload.js'
import { closeOf } from '../support/close-of.js'
import type { CRole } from '../support/interop-world.js'
import { libxenvchanOrSkip } from '../support/libxenvchan-or-skip.js'
import { LibxenvchanWorld } from '../support/libxenvchan-world.js'
import { until } from '../support/local-world.js'
import { patternAt, readPattern, writePattern } from '../support/vchan-pattern.js'

const DIRECT_PROCESS = fileURLToPath(new URL('./children/direct-process.js', import.meta.url))
const ROLES: readonly CRole[] = ['server', 'client']
const RING = 65_536

describe('libxenvchan and the SDK: deaths', () => {
  let library: LocalLibxenvchan
  let world: LibxenvchanWorld
  let children: ChildProcess[]

  before(function () {
    library = libxenvchanOrSkip(this)
  })
  beforeEach(async () => {
    world = await LibxenvchanWorld.start(library)
    children = []
  })
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL')
    await world.close()
  })

  for (const role of ROLES) {
    describe(`C ${role}`, () => {
      it('killed after its last byte: all of it arrives, and then the end', async () => {
        const { peer, socket } = await world.meet(role, ['send', '300000', '--finish', 'kill'], RING)
        expect(await readPattern(socket)).to.equal(300_000)
        expect((await peer.exit).signal).to.equal('SIGKILL')
      })

      it('gone without a close: the end as well', async () => {
        const { socket } = await world.meet(role, ['send', '1000', '--finish', 'exit'], RING)
        expect(await readPattern(socket)).to.equal(1000)
      })

      it('killed while we write to it: the socket fails, and says why', async () => {
        const { peer, socket } = await world.meet(role, ['hold'], RING)
        await peer.line('connected')
        const closing = closeOf(socket)
        // More than ring and buffers hold: the write waits for one who never reads.
        socket.write(Buffer.alloc(1 << 20))
        await peer.kill()
        expect(await closing)
          .to.have.property('code')
          .that.is.oneOf(['ECONNRESET', 'EPIPE'])
      })

      it('killed in the middle of an exchange: what it sent was right, and our socket closes', async () => {
        const { peer, socket } = await world.meet(role, ['exchange', String(1 << 30)], RING)
        const closing = closeOf(socket)
        let seen = 0
        // Half-open is allowed here: where no write meets the death, the end does.
        socket.once('end', () => socket.end())
        socket.on('data', (chunk: Buffer) => {
          if (!chunk.equals(patternAt(seen, chunk.length))) socket.destroy(new Error(`wrong bytes at ${seen}`))
          seen += chunk.length
          if (!socket.destroyed) socket.write(chunk)
          if (seen > 8 << 20) peer.child.kill('SIGKILL')
        })
        const failure = (await closing) as NodeJS.ErrnoException | undefined
        if (failure !== undefined) expect(failure.code).to.be.oneOf(['ECONNRESET', 'EPIPE'])
        expect((await peer.exit).signal).to.equal('SIGKILL')
      })

      it('notices kill -9 of the SDK’s process while it sleeps', async () => {
        const port = world.nextPort()
        const peer = world.spawn([role, '-', port, 'hold'])
        const { domid, meet, kill } = await sdkProcess(role === 'server' ? 'client' : 'server')
        peer.meet(domid)
        await meet(`vchan://${await peer.domid()}/${port}`)
        await peer.line('connected')
        kill()
        await peer.line('done')
        expect((await peer.exit).status).to.equal(0)
      })

      it('notices kill -9 of the SDK’s process in the middle of an exchange', async () => {
        const port = world.nextPort()
        const peer = world.spawn([role, '-', port, 'exchange', String(2 ** 40)])
        const { domid, meet, kill } = await sdkProcess(role === 'server' ? 'client' : 'server')
        peer.meet(domid)
        await meet(`vchan://${await peer.domid()}/${port}`)
        await peer.line('connected')
        kill()
        expect(await peer.line('done')).to.include({ bad: '0' })
        // It had not everything back: its own status says so, and that it got there.
        expect((await peer.exit).status).to.equal(1)
      })

      it('that never unmaps keeps nobody: our end closes, and the next connection opens', async () => {
        const { peer, socket } = await world.meet(role, ['send', '5000', '--finish', 'stay'], RING)
        await peer.line('done')
        const closing = closeOf(socket)
        socket.destroy()
        await closing
        const next = await world.meet(role, ['send', '5000'], RING)
        expect(await readPattern(next.socket)).to.equal(5000)
      })

      it('goes on with its open channel when the hypervisor is killed, and keeps its domid for the next', async () => {
        const port = world.nextPort()
        const waiting = world.spawn(['server', '-', port, 'hold'])
        const before = await waiting.domid()
        const { peer, socket } = await world.meet(role, ['receive'], RING)
        await writePattern(socket, 1_000_000)
        const [pid] = world.local.hypervisors()
        process.kill(pid!, 'SIGKILL')
        await until(() => world.local.hypervisors().some((other) => other !== pid))
        socket.write(patternAt(1_000_000, 500_000))
        socket.end()
        expect(await peer.line('done')).to.include({ bytes: '1500000', bad: '0' })
        // Its keys are written by the process that came back as the same domain.
        waiting.meet(world.conduit.domid)
        await waiting.line('listening')
        const keys = `/local/domain/${before}/data/vchan/${world.conduit.domid}/${port}`
        // The SDK's own connection to the store may still be on its way back.
        await until(() => world.conduit.store.exists(`${keys}/${EVENT_CHANNEL_KEY}`).catch(() => false))
      })
    })
  }

  it('two C programs start a hypervisor, meet and leave without any of the SDK', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'conduit-c-'))
    const alone = { CONDUIT_RUNTIME_DIR: directory }
    const server = world.spawn(['server', '-', 'p', 'receive', '1000000', '--ring', '65536'], alone)
    const client = world.spawn(['client', '-', 'p', 'send', '1000000', '--finish', 'hold'], alone)
    server.meet(await client.domid())
    client.meet(await server.domid())
    expect(await server.line('done')).to.include({ bytes: '1000000', bad: '0' })
    expect((await Promise.all([server.exit, client.exit])).map(({ status }) => status)).to.deep.equal([0, 0])
    await until(() => readdirSync(directory).join() === 'lock')
    rmSync(directory, { recursive: true })
  })

  it('a C program says what to do where no hypervisor runs and it cannot start one', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'conduit-c-'))
    const peer = world.spawn(['server', '1', 'p', 'hold'], { CONDUIT_RUNTIME_DIR: directory, CONDUIT_HYPERVISOR: '' })
    const { status, stderr } = await peer.exit
    expect(status).to.equal(1)
    expect(stderr).to.include(`no local hypervisor in '${directory}'`).and.include('CONDUIT_HYPERVISOR')
    rmSync(directory, { recursive: true })
  })

  it('a C program trusts no runtime directory that others could have prepared', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'conduit-c-'))
    chmodSync(directory, 0o755)
    const peer = world.spawn(['server', '1', 'p', 'hold'], { CONDUIT_RUNTIME_DIR: directory })
    const { status, stderr } = await peer.exit
    expect(status).to.equal(1)
    expect(stderr).to.include('Permission denied')
    rmSync(directory, { recursive: true })
  })

  async function sdkProcess(role: CRole) {
    const child = spawn(process.execPath, [DIRECT_PROCESS, role, world.local.directory], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push(child)
    const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
    const next = async (): Promise<string> => (await lines.next()).value as string
    const domid = Number((await next()).split(' ')[1])
    return {
      domid,
      meet: async (address: string): Promise<void> => {
        child.stdin!.write(`${address}\n`)
        while ((await next()) !== 'connected');
      },
      kill: (): void => {
        child.kill('SIGKILL')
        void once(child, 'exit')
      },
    }
  }
})
