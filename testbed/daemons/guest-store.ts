// What a guest's kernel does with its one ring to the store (linux, drivers/xen/xenbus): several programs share it, each
// with request numbers, tokens and transactions of its own, and what a program leaves behind is given back.
import { XenstoreFrames } from '../../protocol/xenstore-frames.js'
import {
  decodeStrings,
  encodeStrings,
  encodeXenstoreMessage,
  XENSTORE_TYPES,
  type XenstoreMessage,
} from '../../protocol/xenstore-wire.js'
import type { XenstoreTransport } from '../../src/xenstore/transport.js'
import type { StoreRing } from './store-ring.js'

/** An open /dev/xen/xenbus. */
interface Program {
  readonly number: number
  readonly frames: XenstoreFrames
  readonly watches: Set<string>
  readonly transactions: Set<number>
  receive: (bytes: Uint8Array) => void
  closed: (() => void) | undefined
  open: boolean
}

interface Asked {
  readonly program: Program
  readonly message: XenstoreMessage
}

const { WATCH, UNWATCH, WATCH_EVENT, TRANSACTION_START, TRANSACTION_END, RESET_WATCHES, ERROR } = XENSTORE_TYPES

export class GuestStore {
  readonly #ring: StoreRing
  readonly #frames = new XenstoreFrames()
  readonly #programs = new Map<number, Program>()
  readonly #asked = new Map<number, Asked>()
  #nextProgram = 1
  #nextRequest = 1
  #closed = false

  constructor(ring: StoreRing) {
    this.#ring = ring
    ring.attach(
      (bytes) => this.#receive(bytes),
      () => this.#end(),
    )
  }

  /** Open the device once more. */
  open(): XenstoreTransport {
    const program: Program = {
      number: this.#nextProgram++,
      frames: new XenstoreFrames(),
      watches: new Set(),
      transactions: new Set(),
      receive: () => {},
      closed: undefined,
      open: !this.#closed,
    }
    this.#programs.set(program.number, program)
    return {
      send: (bytes) => this.#send(program, bytes),
      onData: (receiver) => {
        program.receive = receiver
      },
      onClose: (listener) => {
        program.closed = listener
        if (!program.open) setImmediate(listener)
      },
      ref: () => {},
      unref: () => {},
      close: () => this.#release(program),
    }
  }

  #send(program: Program, bytes: Uint8Array): void {
    program.frames.push(new Uint8Array(bytes))
    for (let next = program.frames.next(); next !== undefined; next = program.frames.next()) {
      if (program.open) this.#ask(program, next)
    }
    // The kernel refuses the write(2); no message can be told from another after it.
    if (program.frames.broken) this.#release(program)
  }

  #ask(program: Program, message: XenstoreMessage): void {
    const requestId = this.#nextRequest++
    this.#asked.set(requestId, { program, message })
    const payload = withToken(message, (token) => `${program.number}/${token}`)
    this.#ring.send(encodeXenstoreMessage({ ...message, requestId, payload }))
  }

  #receive(bytes: Uint8Array): void {
    this.#frames.push(bytes)
    for (let next = this.#frames.next(); next !== undefined; next = this.#frames.next()) {
      if (next.type === WATCH_EVENT) this.#event(next)
      else this.#reply(next)
    }
  }

  #event(message: XenstoreMessage): void {
    const token = decodeStrings(message.payload).strings[1] ?? ''
    const program = this.#programs.get(Number(token.slice(0, token.indexOf('/'))))
    const payload = withToken(message, (text) => text.slice(text.indexOf('/') + 1))
    program?.receive(encodeXenstoreMessage({ ...message, payload }))
  }

  #reply(reply: XenstoreMessage): void {
    const asked = this.#asked.get(reply.requestId)
    if (asked === undefined) throw new Error(`the daemon answers ${reply.requestId}, which nobody has asked`)
    this.#asked.delete(reply.requestId)
    const { program, message } = asked
    if (reply.type !== ERROR) this.#keepBooks(program, message, reply)
    if (program.open) program.receive(encodeXenstoreMessage({ ...reply, requestId: message.requestId }))
  }

  /** What the program holds in the store now. */
  #keepBooks(program: Program, { type, payload, transactionId }: XenstoreMessage, reply: XenstoreMessage): void {
    const watch = payload.toString('latin1')
    if (type === WATCH) program.watches.add(watch)
    if (type === UNWATCH) program.watches.delete(watch)
    if (type === RESET_WATCHES) program.watches.clear()
    if (type === RESET_WATCHES) program.transactions.clear()
    if (type === TRANSACTION_START) program.transactions.add(Number(decodeStrings(reply.payload).strings[0]))
    if (type === TRANSACTION_END) program.transactions.delete(transactionId)
    // Granted to a program that has gone meanwhile.
    if (!program.open) this.#giveBack(program)
  }

  #release(program: Program): void {
    if (!program.open) return
    program.open = false
    this.#giveBack(program)
    setImmediate(() => program.closed?.())
  }

  #giveBack(program: Program): void {
    const watches = [...program.watches]
    const transactions = [...program.transactions]
    program.watches.clear()
    program.transactions.clear()
    for (const watch of watches) {
      this.#ask(program, request(UNWATCH, Buffer.from(watch, 'latin1')))
    }
    for (const id of transactions) this.#ask(program, request(TRANSACTION_END, encodeStrings(['F']), id))
  }

  /** The domain has died. */
  #end(): void {
    this.#closed = true
    for (const program of this.#programs.values()) {
      if (!program.open) continue
      program.open = false
      setImmediate(() => program.closed?.())
    }
  }
}

const request = (type: number, payload: Buffer, transactionId = 0): XenstoreMessage => ({
  type,
  requestId: 0,
  transactionId,
  payload,
})

/** The payload with another token; one that has none goes as it is, for the daemon to judge. */
function withToken({ type, payload }: XenstoreMessage, change: (token: string) => string): Buffer {
  if (type !== WATCH && type !== UNWATCH && type !== WATCH_EVENT) return payload
  const [path, token, ...more] = decodeStrings(payload).strings
  return path === undefined || token === undefined ? payload : encodeStrings([path, change(token), ...more])
}
