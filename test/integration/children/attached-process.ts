// A process of its own on the local substrate, driven by messages: {do: 'attach', directory} and so on, each
// answered by {done: …}. Stays until it is disconnected or killed.
import { domid, evtchnPort, gref } from '../../../protocol/xen.js'
import { LocalSubstrate } from '../../../src/substrate/local/local-substrate.js'
import type { EventChannel, Pages } from '../../../src/substrate/substrate.js'
import { HYPERVISOR_ENTRY } from '../../support/local-world.js'

export type Command =
  | { do: 'attach'; directory: string }
  | { do: 'domid' }
  | { do: 'bind'; peer: number; port: number }
  | { do: 'map'; peer: number; grefs: number[]; byteOffset: number }
  | { do: 'share'; peer: number; byteOffset: number }
  | { do: 'poke'; offset: number; value: number }
  | { do: 'peek'; offset: number }
  | { do: 'unmap' }
  | { do: 'detach' }

let substrate: LocalSubstrate
let channel: EventChannel
let pages: Pages

async function carryOut(command: Command): Promise<unknown> {
  switch (command.do) {
    case 'attach':
      substrate = await LocalSubstrate.attach({ directory: command.directory, entry: HYPERVISOR_ENTRY })
      return substrate.domid
    case 'domid':
      return substrate.domid
    case 'bind':
      channel = await substrate.bind(domid(command.peer), evtchnPort(command.port))
      channel.onEvent(() => {
        process.send!({ event: true })
        return 0
      })
      return channel.port
    case 'map': {
      const onUnmap = { byteOffset: command.byteOffset, port: channel.port }
      pages = await substrate.map(domid(command.peer), command.grefs.map(gref), { access: 'rw', onUnmap })
      return pages.bytes
    }
    case 'share': {
      channel = await substrate.listen(domid(command.peer))
      const onUnmap = { byteOffset: command.byteOffset, port: channel.port }
      const share = await substrate.share(domid(command.peer), 1, { onUnmap })
      pages = share
      return { grefs: share.grefs, port: channel.port }
    }
    case 'poke':
      new Uint8Array(pages.buffer)[command.offset] = command.value
      channel.notify()
      return undefined
    case 'peek':
      return new Uint8Array(pages.buffer)[command.offset]
    case 'unmap':
      pages.close()
      return undefined
    case 'detach':
      await substrate.close()
      return undefined
  }
}

process.on('message', (command: Command) => {
  carryOut(command).then(
    (done) => process.send!({ done }),
    (error: Error & { code?: string }) => process.send!({ failed: error.code ?? error.message }),
  )
})
process.on('disconnect', () => process.exit(0))
