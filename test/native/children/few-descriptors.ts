// A child that may open few descriptors takes a message that brings more of them than there is room for.
import { readdirSync } from 'node:fs'
import { native } from '../../../src/native.js'

const [a, b] = native().socketPair(false)
native().sendMessage(a, Uint8Array.of(1), [a, a, a])
const held: number[] = []
for (;;) {
  try {
    held.push(native().eventfdCreate())
  } catch {
    break
  }
}
// Room for two of the three.
for (const fd of held.splice(0, 2)) native().closeFd(fd)
const received = native().receiveMessage(b, new Uint8Array(8))
const two = [native().eventfdCreate(), native().eventfdCreate()]
for (const fd of [...two, ...held]) native().closeFd(fd)
if (received?.fdsLost !== true || received.fds.length !== 0 || readdirSync('/proc/self/fd').length > 40) {
  console.error('receiveMessage:', received)
  process.exit(1)
}
