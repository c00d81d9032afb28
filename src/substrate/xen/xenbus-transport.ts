// The store through the kernel's own connection to it, /dev/xen/xenbus: for any domain. Polled on the event loop; no thread
// ever waits in it. One request is under way at a time: the kernel queues a pointer into the one buffer of the descriptor
// (xenbus_dev_request_and_reply() in linux, drivers/xen/xenbus/xenbus_xs.c), and the next write would overwrite what it has
// not sent yet.
import { XenstoreFrames } from '../../../protocol/xenstore-frames.js'
import { XENSTORE_HEADER_BYTES, XENSTORE_TYPES } from '../../../protocol/xenstore-wire.js'
import { ConduitError } from '../../errors.js'
import { type Native, type NativeFdWatcher, PollEvent } from '../../native.js'
import type { XenstoreTransport } from '../../xenstore/transport.js'
import { openDevice, XEN_DEVICES } from './devices.js'

/** A header and the largest payload; the device gives no more at a time than it has. */
const READ_BYTES = 64 << 10
/** Reads in one wake-up, so that a flood of watch events leaves the loop its other work. */
const READS_PER_WAKE = 8
/** The device has no "writable again": kernels since 4.12 always take a message, older ones may be busy. */
const BUSY_PAUSE_MS = 1

/** @throws ConduitError SUBSTRATE_UNAVAILABLE, EMFILE */
export function openXenbus(addon: Native): XenstoreTransport {
  return new XenbusTransport(addon, openDevice(addon, 'xenbus'))
}

class XenbusTransport implements XenstoreTransport {
  readonly #native: Native
  readonly #fd: number
  readonly #watcher: NativeFdWatcher
  readonly #target = Buffer.alloc(READ_BYTES)
  #receiver: ((bytes: Uint8Array) => void) | undefined
  #listener: ((error?: Error) => void) | undefined
  /** Messages that wait for their turn, oldest first. */
  #queue: Buffer[] = []
  /** What comes in, read for its replies alone. */
  readonly #replies = new XenstoreFrames()
  #answering = false
  #retry: NodeJS.Timeout | undefined
  #closed = false
  #failure: Error | undefined

  constructor(addon: Native, fd: number) {
    this.#native = addon
    this.#fd = fd
    this.#watcher = new addon.FdWatcher(fd, false, () => {
      this.#onReadable()
      return 0
    })
  }

  send(bytes: Uint8Array): void {
    if (this.#closed) return
    for (const message of wholeMessages(Buffer.from(bytes))) this.#queue.push(message)
    if (this.#retry === undefined) this.#drain()
  }

  onData(receiver: (bytes: Uint8Array) => void): void {
    if (this.#closed) return
    this.#receiver = receiver
    this.#watcher.start(PollEvent.READABLE)
  }

  onClose(listener: (error?: Error) => void): void {
    this.#listener = listener
    if (this.#closed) setImmediate(() => listener(this.#failure))
  }

  ref(): void {
    if (!this.#closed) this.#watcher.ref()
  }

  unref(): void {
    if (!this.#closed) this.#watcher.unref()
  }

  close(): void {
    this.#finish(undefined)
  }

  #onReadable(): void {
    try {
      for (let reads = 0; reads < READS_PER_WAKE && !this.#closed; reads++) {
        const count = this.#native.readBytes(this.#fd, this.#target)
        if (count < 0) return
        this.#countReplies(this.#target.subarray(0, count))
        this.#receiver?.(Buffer.from(this.#target.subarray(0, count)))
      }
    } catch (error) {
      this.#finish(deviceError('read', error))
    }
  }

  #countReplies(bytes: Uint8Array): void {
    this.#replies.push(new Uint8Array(bytes))
    for (let message = this.#replies.next(); message !== undefined; message = this.#replies.next()) {
      if (message.type === XENSTORE_TYPES.WATCH_EVENT) continue
      this.#answering = false
      if (this.#retry === undefined) this.#drain()
    }
  }

  /** One message a call: the device drops what follows the end of one. */
  #drain(): void {
    this.#retry = undefined
    try {
      while (this.#queue.length > 0 && !this.#answering) {
        const [message] = this.#queue
        const count = this.#native.writeBytes(this.#fd, message!)
        if (count < 0) {
          this.#retry = setTimeout(() => this.#drain(), BUSY_PAUSE_MS)
          return
        }
        this.#answering = count === message!.length
        if (this.#answering) this.#queue.shift()
        else this.#queue[0] = message!.subarray(count)
      }
    } catch (error) {
      this.#finish(deviceError('write', error))
    }
  }

  #finish(failure: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#failure = failure
    clearTimeout(this.#retry)
    this.#queue = []
    this.#watcher.close()
    this.#native.closeFd(this.#fd)
    setImmediate(() => this.#listener?.(failure))
  }
}

/** `bytes` cut after each message; a message that is not whole stays as it is, and the device waits for its rest. */
export function wholeMessages(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  let at = 0
  while (bytes.length - at >= XENSTORE_HEADER_BYTES) {
    const end = at + XENSTORE_HEADER_BYTES + bytes.readUInt32LE(at + 12)
    if (end > bytes.length) break
    messages.push(bytes.subarray(at, end))
    at = end
  }
  if (at < bytes.length) messages.push(bytes.subarray(at))
  return messages
}

function deviceError(syscall: string, cause: unknown): ConduitError {
  const { code: errno, message } = cause as NodeJS.ErrnoException
  const { path } = XEN_DEVICES.xenbus
  return new ConduitError('XENSTORE_DISCONNECTED', `${syscall} ${path}: ${message}`, { errno, syscall, cause })
}
