// Names that the local hypervisor's registrar keeps for a process, or for a session and all who were born into it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { DOMAIN_PROCESS_KEY, XENSTORE_SOCKET_NAME } from '../../protocol/local-control.js'
import { Conduit } from '../../src/conduit/conduit.js'
import { reserveName, unreserveName } from '../../src/conduit/reservations.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { unixSocketTransport } from '../../src/xenstore/unix-socket-transport.js'
import { eventually } from '../support/eventually.js'
import { expectCode } from '../support/expect-rejection.js'
import { type LocalWorld, localWorld } from '../support/local-world.js'

const CAT = fileURLToPath(new URL('../../src/cli/conduit-cat.js', import.meta.url))

describe('names reserved on the local hypervisor', () => {
  let world: LocalWorld
  let conduit: Conduit
  let dom0: XenstoreClient
  const children: ChildProcess[] = []

  beforeEach(async () => {
    world = localWorld()
    conduit = await Conduit.open({ substrate: await world.attach() })
    dom0 = await XenstoreClient.open(unixSocketTransport(join(world.directory, XENSTORE_SOCKET_NAME)))
  })
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid!, 'SIGKILL')
        await once(child, 'exit')
      }
    }
    await conduit.close()
    await dom0.close()
    await world.close()
  })

  /** A shell in a session of its own, which starts conduit-cat when it is told to. */
  function session(command: string): ChildProcess {
    const child = spawn('sh', ['-c', `read go; ${command}`, CAT], {
      detached: true,
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { ...process.env, CONDUIT_BACKEND: 'local', CONDUIT_RUNTIME_DIR: world.directory, NODE: process.execPath },
    })
    children.push(child)
    return child
  }

  const listen = async (): Promise<void> => {
    const server = conduit.createServer()
    await server.listen('web')
    await server.close()
  }

  it('go to whoever belongs to the session, also to the grandchild, and to nobody else', async () => {
    const child = session('"$NODE" "$0" -k -l web & wait')
    await reserveName(dom0, 'web', { kind: 'session', sid: child.pid! })
    await expectCode(listen(), 'EACCES')
    child.stdin!.write('go\n')
    const owner = await eventually(() => dom0.readText('/conduit/web').catch(() => undefined))
    const pid = Number(await dom0.readText(`/local/domain/${owner}/${DOMAIN_PROCESS_KEY}`))
    expect(pid).to.not.equal(child.pid)
    await expectCode(listen(), 'EACCES')
    expect(await conduit.store.readText('domid'), 'a domain may read its own').to.equal(String(conduit.domid))
    await expectCode(conduit.store.readText(`/local/domain/${owner}/${DOMAIN_PROCESS_KEY}`), 'EACCES')
  })

  it('go to the one process, that of jitsud too', async () => {
    await reserveName(dom0, 'web', { kind: 'process', pid: process.pid + 1 })
    await expectCode(listen(), 'EACCES')
    await reserveName(dom0, 'web', { kind: 'process', pid: process.pid })
    await listen()
    const server = conduit.createServer()
    await expectCode(server.listen('jitsud'), 'EACCES')
    await reserveName(dom0, 'jitsud', { kind: 'process', pid: process.pid })
    await server.listen('jitsud')
    await server.close()
  })

  it('are anybody’s again when they are given back', async () => {
    await reserveName(dom0, 'web', { kind: 'nobody' })
    await expectCode(listen(), 'EACCES')
    await unreserveName(dom0, 'web')
    await listen()
  })
})
