// A child that moves a mapping's buffer to another name (ArrayBuffer.prototype.transfer) and uses it after close():
// the pages must still be there, and must go with the new buffer.
import { readFileSync } from 'node:fs'
import { native } from '../../../src/native.js'

const mapped = (): number => readFileSync('/proc/self/maps', 'utf8').split('memfd:conduit-test').length - 1

async function collected(): Promise<void> {
  while (mapped() > 0) {
    globalThis.gc!()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function use(): void {
  const fd = native().memfdCreate('conduit-test', 4096)
  for (const finish of ['close', 'renew'] as const) {
    const mapping = new (native().Mapping)(Float64Array.of(fd, 0, 4096), true)
    const moved = (mapping.buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer()
    try {
      mapping[finish]()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBADF') throw error
    }
    mapping.close()
    new Uint8Array(moved)[0] = 1
  }
  native().closeFd(fd)
}

use()
await collected()
