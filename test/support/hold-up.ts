// A way to the store on which one request waits while something else happens: for what comes between a look and a write.
import type { XenstoreTransport } from '../../src/xenstore/transport.js'

/** `transport`, but the first bytes sent that contain `text`, and all after them, wait for `before` to have run. */
export function holdUp(
  transport: XenstoreTransport,
  text: string,
  before: () => Promise<unknown>,
): { readonly transport: XenstoreTransport; readonly happened: Promise<void> } {
  let waiting: Buffer[] | undefined
  let done = false
  let resolve: () => void
  const happened = new Promise<void>((settle) => {
    resolve = settle
  })
  const release = () => {
    done = true
    for (const bytes of waiting ?? []) transport.send(bytes)
    waiting = undefined
    resolve()
  }
  const send = (bytes: Uint8Array) => {
    if (waiting !== undefined) waiting.push(Buffer.from(bytes))
    else if (!done && Buffer.from(bytes).includes(text)) {
      waiting = [Buffer.from(bytes)]
      void before().then(release)
    } else transport.send(bytes)
  }
  return { transport: { ...transport, send }, happened }
}
