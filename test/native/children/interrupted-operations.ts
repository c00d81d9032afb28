// What the workers of interrupted-calls.ts do over and over: one call of the addon after the other, and what belongs to it.
import { native, PollEvent } from '../../../src/native.js'

const PAGE = 4096

function quietly(call: () => unknown): void {
  try {
    call()
  } catch {
    // An error that is under way when the thread ends cannot be thrown any more.
  }
}

function polled(): { fd: number; close(): void } {
  const fd = native().eventfdCreate()
  const watcher = new (native().FdWatcher)(fd, true, () => 0)
  watcher.start(PollEvent.READABLE)
  return {
    fd,
    close: () => {
      watcher.close()
      native().closeFd(fd)
    },
  }
}

/** Each is called in an endless loop. */
export const OPERATIONS: Record<string, () => void> = {
  'throw an errno': () => quietly(() => native().sealedBytes(9999)),
  'throw a RangeError': () => quietly(() => native().closeFd(-1)),
  'make and close a memory file': () => native().closeFd(native().memfdCreate('conduit-test', PAGE)),
  'map, touch and unmap': () => {
    const fd = native().memfdCreate('conduit-test', PAGE)
    const mapping = new (native().Mapping)(Float64Array.of(fd, 0, PAGE), true)
    native().closeFd(fd)
    new Uint8Array(mapping.buffer)[0] = 1
    mapping.renew()
    mapping.close()
  },
  'map and forget': () => {
    const fd = native().memfdCreate('conduit-test', PAGE)
    ;new (native().Mapping)(Float64Array.of(fd, 0, PAGE), false)
    native().closeFd(fd)
  },
  'poll and stop polling': () => polled().close(),
  'poll and kick': () => {
    const one = polled()
    native().eventfdNotify(one.fd)
    one.close()
  },
  'send and receive descriptors': () => {
    const pair = native().socketPair(false)
    native().sendMessage(pair[0], new Uint8Array(8), [pair[0], pair[1]])
    const { fds } = native().receiveMessage(pair[1], new Uint8Array(8))!
    for (const fd of [...pair, ...fds]) native().closeFd(fd)
  },
  spin: spinning(),
}

function spinning(): () => void {
  let spin: (() => void) | undefined
  return () => {
    spin ??= (() => {
      const fd = native().memfdCreate('conduit-test', PAGE)
      const mapping = new (native().Mapping)(Float64Array.of(fd, 0, PAGE), true)
      const watcher = new (native().FdWatcher)(native().eventfdCreate(), true, () => 0)
      watcher.spinOn(mapping, 0, 4, Int32Array.of(0, 0, 3, 0))
      return () => watcher.spin(100)
    })()
    spin()
  }
}

export const OPERATION_NAMES = Object.keys(OPERATIONS)
