// A child that ends in the middle of what it does: `exit`, `worker-exit`, `worker-terminate`. Prints nothing;
// a crash would show in the exit status.
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { native, PollEvent } from '../../../src/native.js'

/** Everything the addon can hold, live: mapped pages, a poll that fires for ever, a spin. */
function busy(): void {
  const fd = native().memfdCreate('conduit-test', 8192)
  const mapping = new (native().Mapping)(Float64Array.of(fd, 0, 8192), true)
  const event = native().eventfdCreate()
  const state = new Int32Array(4)
  state[2] = 3
  const bytes = new Uint8Array(mapping.buffer)
  const watcher = new (native().FdWatcher)(event, true, (wake) => {
    bytes[0]!++
    native().eventfdNotify(event)
    return wake === 2 ? 0 : 20
  })
  watcher.spinOn(mapping, 0, 4096, state)
  watcher.start(PollEvent.READABLE)
  watcher.ref()
  native().eventfdNotify(event)
}

const self = fileURLToPath(import.meta.url)
const how = process.argv[2]
if (!isMainThread) {
  busy()
  setTimeout(() => {
    parentPort!.postMessage('busy')
    if (how === 'worker-exit') process.exit(0)
  }, 5)
} else if (how === 'exit') {
  busy()
  setTimeout(() => process.exit(0), 5)
} else {
  let left = 8
  for (let index = 0; index < 8; index++) {
    const worker = new Worker(self, { argv: [how!] })
    if (how === 'worker-terminate') worker.once('message', () => void worker.terminate())
    worker.once('exit', () => {
      left--
      if (left === 0) process.exit(0)
    })
  }
}
