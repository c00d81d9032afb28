// Reading into a buffer of the caller's, as node:net has it: the option, and what may be wrong with it.

/** As in node:net: one buffer for all that is read, handed to a callback instead of `data` events. */
export interface OnReadOptions {
  /**
   * Ordinary memory of at least one byte, or what returns it before each read: two buffers can take turns then. What
   * `callback` got is overwritten by the next read.
   */
  readonly buffer: Uint8Array | (() => Uint8Array)
  /** Called with the number of bytes now in `buffer`. Return false to pause; `resume()` goes on. */
  // biome-ignore lint/suspicious/noConfusingVoidType: as node:net's own type has it
  callback(bytes: number, buffer: Uint8Array): boolean | void
}

const BAD_TARGET = 'onread.buffer is a Uint8Array of at least one byte, or returns one'

const isTarget = (value: unknown): value is Uint8Array => value instanceof Uint8Array && value.length > 0

/** @throws TypeError */
export function checkOnread(onread: OnReadOptions): void {
  if (typeof onread !== 'object' || onread === null) throw new TypeError('onread is { buffer, callback }')
  const { buffer, callback } = onread
  if (typeof buffer !== 'function' && !isTarget(buffer)) throw new TypeError(BAD_TARGET)
  if (typeof callback !== 'function') throw new TypeError('onread.callback is a function')
}

/** Where the next read goes. @throws TypeError, for what a function of the caller's returns */
export function nextTarget({ buffer }: OnReadOptions): Uint8Array {
  const target = typeof buffer === 'function' ? buffer() : buffer
  if (!isTarget(target)) throw new TypeError(BAD_TARGET)
  return target
}
