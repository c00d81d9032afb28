// The preload library and a hypervisor that passes on what a hostile peer may have granted: files that could shrink, pages
// outside of them, other pages than were asked for. Each is refused and given back, and the next good one is taken.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { EVENT_CHANNEL_KEY, RING_REF_KEY } from '../../protocol/conduit.js'
import {
  CONTROL_SOCKET_NAME,
  type ControlMessage,
  ControlStatus,
  ControlType,
  domainStoreName,
  NONE,
} from '../../protocol/local-control.js'
import { LIVE, OFFSET, ORDER } from '../../protocol/vchan-page.js'
import { domid } from '../../protocol/xen.js'
import { native } from '../../src/native.js'
import { Acceptor } from '../../src/substrate/local/acceptor.js'
import { ControlSocket } from '../../src/substrate/local/control-socket.js'
import { XenstoreClient } from '../../src/xenstore/client.js'
import { type StoreServer, serveStore } from '../../src/xenstore/store/socket-server.js'
import { EmbeddedStore } from '../../src/xenstore/store/store.js'
import type { LocalLibxenvchan } from '../../testbed/local-preload.js'
import { VchanPeerProcess } from '../../testbed/vchan-peer-process.js'
import { libxenvchanOrSkip } from '../support/libxenvchan-or-skip.js'

const C_DOMID = 5
const SERVER = 9
const GREF = 100
const KEYS = `/local/domain/${SERVER}/data/vchan/${C_DOMID}/p`

/** What MAP is answered with: the words of its segments, and the file. */
interface Answer {
  readonly what: string
  readonly words: readonly number[]
  readonly file: 'plain' | 'sealed'
}

const HOSTILE: readonly Answer[] = [
  { what: 'a file that could shrink', words: [0, 0, 1, NONE], file: 'plain' },
  { what: 'a page behind the end of its file', words: [0, 1, 1, NONE], file: 'sealed' },
  { what: 'a page far behind it', words: [0, 0xffffffff, 1, NONE], file: 'sealed' },
  { what: 'a file that did not come along', words: [1, 0, 1, NONE], file: 'sealed' },
  { what: 'no page', words: [], file: 'sealed' },
  { what: 'two pages for one', words: [0, 0, 1, NONE, 0, 0, 1, NONE], file: 'sealed' },
  { what: 'a segment of no pages', words: [0, 0, 0, NONE, 0, 0, 1, NONE], file: 'sealed' },
]
const HONEST: Answer = { what: 'one sealed page', words: [0, 0, 1, OFFSET.SRV_LIVE], file: 'sealed' }

describe('libxenvchan over the local substrate trusts no granted file', () => {
  let library: LocalLibxenvchan
  let directory: string
  let store: EmbeddedStore
  let served: StoreServer
  let client: XenstoreClient
  let acceptor: Acceptor
  let connection: ControlSocket | undefined
  let peer: VchanPeerProcess
  let files: Record<Answer['file'], number>
  /** Answers to MAP, one after the other; what came of the last is told by UNMAP or by the peer itself. */
  let answers: Answer[]
  let onUnmap: () => void
  let unmapped: number
  /** Our ends of the socket pairs whose hang-up would be our death. */
  const held: number[] = []

  before(function () {
    library = libxenvchanOrSkip(this)
  })
  beforeEach(async () => {
    unmapped = 0
    onUnmap = () => undefined
    directory = mkdtempSync(join(tmpdir(), 'conduit-distrust-'))
    store = new EmbeddedStore()
    served = await serveStore(store, join(directory, domainStoreName(C_DOMID)))
    client = await XenstoreClient.open(async () => store.transport(domid(0)))
    await client.write('/local/domain/0/domid', String(C_DOMID))
    writeFileSync(join(directory, 'plain'), honestPage())
    files = { plain: openSync(join(directory, 'plain'), 'r+'), sealed: native().memfdCreate('conduit-test', 4096) }
    writeFileSync(`/proc/self/fd/${files.sealed}`, honestPage(), { flag: 'r+' })
    acceptor = new Acceptor(native().unixListen(join(directory, CONTROL_SOCKET_NAME), false), (fd) => {
      connection = new ControlSocket(fd, {
        onMessage: (message, fds) => answer(message, fds),
        onClose: () => undefined,
      })
    })
    peer = new VchanPeerProcess(library.peer.path, ['client', String(SERVER), 'p', 'hold'], {
      ...library.environment(directory),
      CONDUIT_HYPERVISOR: '',
    })
  })
  afterEach(async () => {
    await peer.kill()
    connection?.close()
    acceptor.close()
    await client.close()
    await served.close()
    for (const fd of held.splice(0)) native().closeFd(fd)
    closeSync(files.plain)
    native().closeFd(files.sealed)
    rmSync(directory, { recursive: true })
  })

  function answer({ type, sequence, words }: ControlMessage, fds: number[]): void {
    for (const fd of fds) native().closeFd(fd)
    const reply = (answerWords: readonly number[], answerFds: readonly number[] = []): void => {
      connection!.send({ type, status: ControlStatus.OK, sequence, words: answerWords }, answerFds)
    }
    if (type === ControlType.ATTACH) {
      reply([C_DOMID])
      return
    }
    if (type === ControlType.BIND) {
      const [ours, theirs] = native().socketPair(false)
      connection!.send({ type: ControlType.PEER, status: 0, sequence: 0, words: [SERVER] }, [theirs])
      const events = [native().eventfdCreate(), native().eventfdCreate()]
      reply([], events)
      for (const fd of [theirs, ...events]) native().closeFd(fd)
      held.push(ours)
      return
    }
    if (type === ControlType.MAP) {
      expect(words.slice(4)).to.deep.equal([GREF])
      const next = answers.shift()!
      reply(next.words, [files[next.file]])
      return
    }
    reply([])
    if (type !== ControlType.UNMAP) return
    unmapped++
    onUnmap()
  }

  it('refuses each in turn, gives it back, and takes the honest one', async () => {
    answers = [...HOSTILE, HONEST]
    await client.write(`${KEYS}/${EVENT_CHANNEL_KEY}`, '3')
    const connected = peer.line('connected').then(() => true)
    for (let done = false; !done; ) {
      const refused = new Promise<boolean>((resolve) => {
        onUnmap = () => resolve(false)
      })
      // Once more: the peer tries whenever its keys change.
      await client.write(`${KEYS}/${RING_REF_KEY}`, String(GREF))
      done = await Promise.race([refused, connected])
    }
    expect(answers).to.deep.equal([])
    expect(unmapped).to.equal(HOSTILE.length)
    expect(await peer.line('connected')).to.deep.equal({ left: '10', right: '11' })
  })
})

function honestPage(): Buffer {
  const page = Buffer.alloc(4096)
  page.writeUInt16LE(ORDER.SMALL, OFFSET.LEFT_ORDER)
  page.writeUInt16LE(ORDER.LARGE, OFFSET.RIGHT_ORDER)
  page[OFFSET.SRV_LIVE] = LIVE.CONNECTED
  page[OFFSET.CLI_LIVE] = LIVE.AWAITED
  return page
}
