// A local hypervisor that is stopped, or out of descriptors: nobody waits for it longer than they said, and it goes on
// when it can.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { type ConduitError, isConduitError } from '../../src/errors.js'
import { LocalSubstrate } from '../../src/substrate/local/local-substrate.js'
import type { Share } from '../../src/substrate/substrate.js'
import { expectCode, rejectionOf } from '../support/expect-rejection.js'
import { HYPERVISOR_ENTRY, type LocalWorld, localWorld, until } from '../support/local-world.js'

const CAT = fileURLToPath(new URL('../../src/cli/conduit-cat.js', import.meta.url))

describe('a stopped local hypervisor', () => {
  let world: LocalWorld
  let pid: number

  beforeEach(async () => {
    world = localWorld()
    await world.attach()
    pid = world.hypervisors()[0]!
    process.kill(pid, 'SIGSTOP')
  })
  afterEach(async () => {
    process.kill(pid, 'SIGCONT')
    await world.close()
  })

  async function cat(...args: string[]): Promise<{ code: number | null; stderr: string }> {
    const env = { ...process.env, CONDUIT_RUNTIME_DIR: world.directory }
    const child = spawn(process.execPath, [CAT, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, stderr }
  }

  it('keeps nobody waiting who attaches: the limit holds, and the code says what is wrong', async () => {
    const options = { directory: world.directory, entry: HYPERVISOR_ENTRY }
    const error = await LocalSubstrate.attach({ ...options, timeoutMs: 200 }).catch((reason: unknown) => reason)
    expect(isConduitError(error, 'SUBSTRATE_UNAVAILABLE')).to.equal(true)
    expect((error as Error).message).to.contain('does not answer')
    const signal = AbortSignal.timeout(100)
    const aborted = await LocalSubstrate.attach({ ...options, signal }).catch((reason: unknown) => reason)
    expect(aborted).to.equal(signal.reason)
  })

  it('keeps conduit-cat, ping and inspect no longer than -w says', async () => {
    for (const args of [['nobody'], ['ping', 'nobody', '-c', '1'], ['inspect', 'nobody']]) {
      const { code, stderr } = await cat(...args, '-w', '1')
      expect(code, stderr).to.equal(1)
      expect(stderr).to.match(/^conduit-cat: (SUBSTRATE_UNAVAILABLE|ETIMEDOUT): .*waited 1000 ms.*\n$/)
    }
  })

  it('ends ls with status 1 and one line', async () => {
    const { code, stderr } = await cat('ls')
    expect(code, stderr).to.equal(1)
    expect(stderr).to.match(/^conduit-cat: ETIMEDOUT: .*\n$/)
  })
})

describe('a local hypervisor with few descriptors', () => {
  let world: LocalWorld
  let hypervisor: ChildProcess
  let first: LocalSubstrate

  beforeEach(async () => {
    world = localWorld()
    // It has its limits from whoever starts it.
    const limited = ['-c', 'ulimit -n 80; exec "$0" "$@"', process.execPath, HYPERVISOR_ENTRY, world.directory]
    hypervisor = spawn('sh', limited, { stdio: 'ignore' })
    await until(() => existsSync(join(world.directory, 'control')))
    first = await world.attach()
  })
  afterEach(() => world.close())

  it('serves those it has room for, refuses the others with a code, and lives', async () => {
    const attached: LocalSubstrate[] = []
    const outcomes: string[] = []
    for (let index = 0; index < 60; index++) {
      const options = { directory: world.directory, entry: HYPERVISOR_ENTRY, timeoutMs: 100 }
      await LocalSubstrate.attach(options).then(
        (substrate) => {
          attached.push(substrate)
          outcomes.push('attached')
        },
        (error: Error & { code?: string }) => outcomes.push(error.code ?? error.message),
      )
    }
    expect(outcomes).to.include('attached')
    expect(outcomes).to.include('SUBSTRATE_UNAVAILABLE')
    expect(new Set(outcomes).size).to.equal(2)
    expect(world.hypervisors()).to.deep.equal([hypervisor.pid])
    for (const substrate of attached) await substrate.close()
    const share = await first.share(first.domid, 1)
    share.close()
  })

  it('refuses the request it has no room for, and no other', async () => {
    const [owner, mapper] = [first, await world.attach()]
    const shares: Share[] = []
    const refused = await rejectionOf(
      (async () => {
        for (;;) shares.push(await owner.share(mapper.domid, 1))
      })(),
    )
    expect(refused).to.include({ code: 'EMFILE', errno: 'EMFILE' })
    expect((refused as ConduitError).message).to.contain('local hypervisor')
    expect((refused as ConduitError).hint).to.contain('ulimit -n')
    // The two have not met: it takes two more descriptors to introduce them, and none to say that there are none.
    const { grefs } = shares[0]!
    await expectCode(mapper.map(owner.domid, grefs, { access: 'rw' }), 'EMFILE')
    for (const share of shares.splice(1)) share.close()
    const mapping = await mapper.map(owner.domid, grefs, { access: 'rw' })
    new Uint8Array(shares[0]!.buffer)[7] = 7
    expect(new Uint8Array(mapping.buffer)[7]).to.equal(7)
    expect(world.hypervisors()).to.deep.equal([hypervisor.pid])
  })
})
