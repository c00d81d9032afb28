// How the bytes of the xenstore wire protocol travel: the interface that the client speaks to.
// Framing is the client's and the store's; a transport only moves bytes, in order.

/** A connected byte stream to a store. */
export interface XenstoreTransport {
  /** Queue bytes; they are copied or sent before the call returns control of `bytes` to the caller. Dropped once closed. */
  send(bytes: Uint8Array): void
  /** Set the one receiver of incoming bytes. Bytes that came before are delivered to it. */
  onData(receiver: (bytes: Uint8Array) => void): void
  /** Called once when the stream is gone, by whichever side; with the error when there was one. */
  onClose(listener: (error?: Error) => void): void
  /** Whether the connection keeps the event loop alive: not before `ref()`. */
  ref(): void
  /** Undo ref(), however often that was called: the client does the counting. */
  unref(): void
  /** Idempotent. */
  close(): void
}

/** Opens a connection; called again after the store was lost. */
export type OpenXenstoreTransport = () => Promise<XenstoreTransport>
