// A process of its own on the local substrate, driven by messages: {do: 'attach', directory} and so on, each
// answered by {done: …}. Stays until it is disconnected or killed.
import { closeSync, openSync } from 'node:fs'
import { domid, evtchnPort, gref } from '../../../protocol/xen.js'
import type { ConduitError } from '../../../src/errors.js'
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
  | { do: 'try'; request: 'share' | 'listen' | 'bind' | 'map' | 'xenstore'; peer: number; number: number }
  | { do: 'fill'; leave: number }
  | { do: 'free' }

let substrate: LocalSubstrate
let channel: EventChannel
let pages: Pages
const filling: number[] = []

/** Open files until the kernel refuses, but for `leave` descriptors. */
function fill(leave: number): number {
  try {
    for (;;) filling.push(openSync('/dev/null', 'r'))
  } catch {
    for (const fd of filling.splice(0, leave)) closeSync(fd)
  }
  return filling.length
}

/** Ask for one thing and give it back. */
async function attempt({ request, peer, number }: Extract<Command, { do: 'try' }>): Promise<void> {
  if (request === 'share') (await substrate.share(domid(peer), 1)).close()
  if (request === 'listen') await (await substrate.listen(domid(peer))).close()
  if (request === 'bind') await (await substrate.bind(domid(peer), evtchnPort(number))).close()
  if (request === 'map') (await substrate.map(domid(peer), [gref(number)], { access: 'rw' })).close()
  if (request === 'xenstore') (await substrate.xenstore()).close()
}

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
    case 'try':
      return attempt(command)
    case 'fill':
      return fill(command.leave)
    case 'free':
      for (const fd of filling.splice(0)) closeSync(fd)
      return undefined
  }
}

process.on('message', (command: Command) => {
  carryOut(command).then(
    (done) => process.send!({ done }),
    ({ code, message, errno, hint }: ConduitError) =>
      process.send!({ failed: { code: code ?? message, message, errno, hint } }),
  )
})
process.on('disconnect', () => process.exit(0))
