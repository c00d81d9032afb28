// The arguments of hostile-calls.ts, and the books of what the calls brought: descriptors, mappings, polls. Fitting
// arguments are made of these, so that calls meet what is live, what is closed and what is busy.
import { join } from 'node:path'
import { type NativeFdWatcher, type NativeMapping, native } from '../../../src/native.js'

/** What a getter or a handler of an argument throws: it passes through the addon as it is. */
export const PROVOKED = new Error('provoked')

const PAGE = 4096
const LIVE_MAX = 40

export type Kind = 'fd' | 'fds' | 'bytes' | 'words' | 'flag' | 'name' | 'path' | 'address' | 'number' | 'size' | Later
/** Arguments of methods. */
type Later = 'segments' | 'handler' | 'events' | 'mapping' | 'offset' | 'state' | 'micros'

function detached(): Uint8Array {
  const bytes = new Uint8Array(64)
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  return bytes
}

const throws = (): never => {
  throw PROVOKED
}

export class HostileArguments {
  readonly mappings: NativeMapping[] = []
  readonly watchers: NativeFdWatcher[] = []
  readonly #fds: number[] = []
  readonly #random: () => number
  readonly #folder: string
  #lastBytes = new Uint8Array(1)

  constructor(random: () => number, folder: string) {
    this.#random = random
    this.#folder = folder
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** The arguments for these parameters: most of them fit, the others are anything; now and then too few or too many. */
  list(kinds: readonly Kind[]): unknown[] {
    const list = kinds.map((kind) => (this.below(5) === 0 ? this.#anything() : this.#fitting(kind)))
    if (this.below(12) === 0) list.pop()
    if (this.below(12) === 0) list.push(this.#anything())
    return list
  }

  /** Note what a call brought. Pages of a mapping are touched: what cannot be read must not be mapped. */
  keep(result: unknown): void {
    if (typeof result === 'number' && result > 2) this.#fds.push(result)
    else if (Array.isArray(result)) for (const fd of result) this.keep(fd)
    else if (result instanceof native().FdWatcher) this.watchers.push(result)
    else if (result instanceof native().Mapping) {
      this.mappings.push(result)
      const bytes = new Uint8Array(result.buffer)
      for (let at = 0; at < bytes.length; at += Math.max(PAGE, bytes.length >> 8)) bytes.at(at)
      bytes.at(-1)
    } else if (typeof result === 'object' && result !== null && 'fds' in result) this.keep(result.fds)
  }

  /** Let go of the oldest when there are many. */
  settle(): void {
    if (this.watchers.length > LIVE_MAX) this.watchers.shift()!.close()
    if (this.mappings.length > LIVE_MAX) this.mappings.shift()!.close()
    while (this.#fds.length > LIVE_MAX) this.#close(this.#fds.shift()!)
  }

  release(): void {
    for (const one of [...this.watchers, ...this.mappings]) one.close()
    for (const fd of this.#fds) this.#close(fd)
  }

  #close(fd: number): void {
    try {
      native().closeFd(fd)
    } catch {
      // Closed already, or polled by a watcher that is still in the books.
    }
  }

  #fd(): number {
    return this.#fds.length === 0 ? 9999 : this.pick(this.#fds)
  }

  #fitting(kind: Kind): unknown {
    switch (kind) {
      case 'fd':
        return this.#fd()
      case 'fds':
        return Array.from({ length: this.pick([0, 0, 1, 2, 64, 65]) }, () => this.#fd())
      case 'bytes':
        this.#lastBytes = new Uint8Array(this.pick([0, 1, 8, 64, 300]))
        return this.#lastBytes
      case 'words':
        return new Uint32Array(this.pick([0, 1, 2, 513, 5000]))
      case 'number':
        return this.pick([0, 1, 2, 513, 0x7ff0, 0xffff, 2 ** 32 - 1, 2 ** 40])
      case 'flag':
        return this.below(2) === 0
      case 'name':
        return this.pick(['conduit-test', '', 'ü'.repeat(120), 'x'.repeat(300)])
      case 'path':
        return join(this.#folder, this.pick(['a', 'b', 'c', 'no/such', 'x'.repeat(200)]))
      case 'address':
        return this.pick(['127.0.0.1', '127.0.0.1', '::1', '127.0.0.999', '', 'localhost', `::1%${'x'.repeat(90)}`])
      case 'size':
        return this.pick([0, 1, PAGE, PAGE, 4 * PAGE, 4 * PAGE, 2 ** 20, 2 ** 33, 2 ** 60])
      case 'segments':
        return Float64Array.from(Array.from({ length: this.pick([0, 1, 1, 1, 2, 3]) }, () => this.#segment()).flat())
      default:
        return this.#fittingMethod(kind)
    }
  }

  #fittingMethod(kind: Exclude<Kind, 'fd'>): unknown {
    switch (kind) {
      case 'handler':
        return this.pick([() => 0, () => 20, () => Number.NaN, () => this.#anything(), throws])
      case 'events':
        return this.below(17)
      case 'mapping':
        return this.pick(this.mappings)
      case 'offset':
        return this.pick([0, 4, 2, PAGE - 4, PAGE, 3 * PAGE, 2 ** 31, 2 ** 32 - 4])
      case 'state':
        return new Int32Array(this.pick([2, 3, 3, 3, 64]))
      default:
        return this.pick([0, 1, 20, 1e9])
    }
  }

  #segment(): [number, number, number] {
    const sizes = [0, 1, PAGE, PAGE, PAGE, 2 * PAGE, 4 * PAGE, 2 ** 33, 2 ** 63, 2 ** 64 - PAGE, Number.NaN, -PAGE]
    return [this.#fd(), this.pick([0, 0, 0, PAGE, 4 * PAGE, 100, -PAGE, 2 ** 62, Number.NaN]), this.pick(sizes)]
  }

  #anything(): unknown {
    const numbers = [
      Number.NaN,
      -1,
      -0,
      0.5,
      2 ** 31,
      2 ** 32 + this.#fd(),
      2 ** 53,
      -(2 ** 31) - 1,
      Number.POSITIVE_INFINITY,
    ]
    const others = [
      undefined,
      null,
      true,
      1n,
      '',
      'x',
      '\0',
      'a\0b',
      '\ud800',
      Symbol('x'),
      throws,
      {},
      [],
      [[]],
      ['x'],
    ]
    return this.pick([this.pick(numbers), this.pick(others), this.#object()])
  }

  #object(): unknown {
    const bytes = new Uint8Array(64)
    const trap = new Proxy([], { get: throws })
    const last = this.#lastBytes.buffer
    // Takes the bytes of the same call away while the list beside them is read.
    const detaching = Object.defineProperty([0], 0, { get: () => structuredClone(last, { transfer: [last] }) })
    return this.pick([
      ...[detached(), new Float64Array(3), new Float64Array(4), new BigInt64Array(3), new DataView(bytes.buffer)],
      ...[new Uint8Array(new SharedArrayBuffer(64)), bytes.buffer, trap, detaching, new Array(2 ** 31)],
      ...[{ valueOf: throws, toString: throws }, new Proxy(new Uint8Array(8), {}), this.pick(this.mappings)],
      ...[Object.create(native().Mapping.prototype), this.pick(this.watchers), Buffer.alloc(0), new Int32Array(3)],
    ])
  }
}
