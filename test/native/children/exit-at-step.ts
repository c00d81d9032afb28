// A child that goes through the life of everything in the addon and exits before the step whose number it is given:
// `exit-at-step.js STEP`. Prints the number of steps when it is given none.
import { native, PollEvent } from '../../../src/native.js'

const PAGE = 4096
const at = process.argv[2] === undefined ? Number.POSITIVE_INFINITY : Number(process.argv[2])
let steps = 0

/** process.exit in JavaScript that the addon may be waiting for. */
function step(): void {
  if (steps++ === at) process.exit(0)
}

step()
const file = native().memfdCreate('conduit-test', 2 * PAGE)
step()
const mapping = new (native().Mapping)(Float64Array.of(file, 0, 2 * PAGE), true)
const bytes = new Uint8Array(mapping.buffer)
step()
const event = native().eventfdCreate()
const state = Int32Array.of(0, 0, 3, 0)
let called: () => void = () => {}
const watcher = new (native().FdWatcher)(event, true, (wake) => {
  step()
  process.nextTick(step)
  queueMicrotask(step)
  called()
  // Spins once: this end moves its own word in the microtask.
  queueMicrotask(() => {
    bytes[0] = 1
  })
  return wake === 0 ? 1000 : 0
})
step()
watcher.spinOn(mapping, 0, 4, state)
step()
watcher.start(PollEvent.READABLE)
watcher.ref()
step()
await new Promise<void>((resolve) => {
  called = resolve
  native().eventfdNotify(event)
})
step()
await new Promise((resolve) => setImmediate(resolve))
step()
mapping.renew()
step()
watcher.close()
step()
native().closeFd(event)
mapping.close()
step()
native().closeFd(file)
step()
await new Promise((resolve) => setImmediate(resolve))
step()
process.on('exit', step)
process.on('exit', () => {
  if (process.argv[2] === undefined) console.log(steps)
})
