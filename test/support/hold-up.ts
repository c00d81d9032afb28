// A way to the store on which one request waits while something else happens: for what comes between a look and a write.
import type { XenstoreTransport } from '../../src/xenstore/transport.js'

/**
 * `transport`, but the bytes sent that contain `text`, the first so many `times`, and all after them, wait for `before` to
 * have run.
 */
export function holdUp(
  transport: XenstoreTransport,
  text: string,
  before: () => Promise<unknown>,
  times = 1,
): { readonly transport: XenstoreTransport; readonly happened: Promise<void> } {
  let waiting: Buffer[] | undefined
  let left = times
  let resolve: () => void
  const happened = new Promise<void>((settle) => {
    resolve = settle
  })
  const release = () => {
    const [held, ...later] = waiting ?? []
    waiting = undefined
    if (held !== undefined) transport.send(held)
    for (const bytes of later) send(bytes)
    resolve()
  }
  const send = (bytes: Uint8Array) => {
    if (waiting !== undefined) waiting.push(Buffer.from(bytes))
    else if (left > 0 && Buffer.from(bytes).includes(text)) {
      left--
      waiting = [Buffer.from(bytes)]
      void before().then(release)
    } else transport.send(bytes)
  }
  return { transport: { ...transport, send }, happened }
}
