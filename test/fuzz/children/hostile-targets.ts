// What hostile-calls.ts calls: every function of the addon, both constructors and every method, on live objects, on closed
// ones and on what is no such object at all.
import { type Native, type NativeFdWatcher, type NativeMapping, native } from '../../../src/native.js'
import type { HostileArguments, Kind } from './hostile-arguments.js'

export interface Target {
  readonly what: string
  readonly perform: () => unknown
}

type Callable = (...args: unknown[]) => unknown

const FUNCTIONS: Record<Exclude<keyof Native, 'Mapping' | 'FdWatcher'>, readonly Kind[]> = {
  memfdCreate: ['name', 'size'],
  sealedBytes: ['fd'],
  eventfdCreate: [],
  eventfdNotify: ['fd'],
  unixListen: ['path', 'flag'],
  unixConnect: ['path'],
  unixSendTo: ['path', 'bytes'],
  unixAccept: ['fd'],
  socketPair: ['flag'],
  sendMessage: ['fd', 'bytes', 'fds'],
  receiveMessage: ['fd', 'bytes'],
  peerCredentials: ['fd'],
  tcpListen: ['address', 'number', 'number'],
  tcpAccept: ['fd'],
  tcpLocalPort: ['fd'],
  tcpState: ['fd'],
  tcpReset: ['fd'],
  resetOnClose: ['fd', 'flag'],
  tryLock: ['fd'],
  duplicate: ['fd'],
  closeFd: ['fd'],
  releaseFd: ['fd'],
  deviceOpen: ['path'],
  readBytes: ['fd', 'bytes'],
  writeBytes: ['fd', 'bytes'],
  gntdevMap: ['fd', 'number', 'words'],
  gntdevUnmap: ['fd', 'number', 'number'],
  gntallocAllocate: ['fd', 'number', 'number', 'flag'],
  gntallocRelease: ['fd', 'number', 'number'],
  setUnmapNotify: ['fd', 'number', 'number'],
  evtchnListen: ['fd', 'number'],
  evtchnBind: ['fd', 'number', 'number'],
  evtchnUnbind: ['fd', 'number'],
  evtchnNotify: ['fd', 'number'],
  evtchnReset: ['fd'],
}
/** What these return is a number and no descriptor: taken for one it would be a file of node's own. */
const COUNTS: ReadonlySet<string> = new Set([
  ...['sealedBytes', 'readBytes', 'writeBytes', 'gntdevMap', 'evtchnListen', 'evtchnBind', 'tcpLocalPort', 'tcpState'],
])
const CONSTRUCTORS: Record<'Mapping' | 'FdWatcher', readonly Kind[]> = {
  Mapping: ['segments', 'flag'],
  FdWatcher: ['fd', 'flag', 'handler'],
}
const MAPPING: Record<keyof NativeMapping, readonly Kind[]> = { buffer: [], renew: [], close: [] }
const WATCHER: Record<keyof NativeFdWatcher, readonly Kind[]> = {
  start: ['events'],
  spinOn: ['mapping', 'offset', 'offset', 'state'],
  spin: ['micros'],
  ref: [],
  unref: [],
  close: [],
}

export class HostileTargets {
  readonly #values: HostileArguments
  readonly #random: () => number

  constructor(random: () => number, values: HostileArguments) {
    this.#random = random
    this.#values = values
  }

  /** What the addon has and this file does not. */
  uncovered(): string[] {
    const names = (object: object) => Object.getOwnPropertyNames(object).filter((name) => name !== 'constructor')
    return [
      ...names(native()).filter((name) => !(name in FUNCTIONS) && !(name in CONSTRUCTORS)),
      ...names(native().Mapping.prototype).filter((name) => !(name in MAPPING)),
      ...names(native().FdWatcher.prototype).filter((name) => !(name in WATCHER)),
    ]
  }

  next(): Target {
    const roll = this.#random()
    if (roll < 0.5) return this.#function()
    if (roll < 0.65) return this.#construction()
    return this.#values.below(2) === 0 ? this.#mapping() : this.#watcher()
  }

  #function(): Target {
    const [name, kinds] = this.#values.pick(Object.entries(FUNCTIONS))
    const args = this.#values.list(kinds)
    const call = () => (native()[name as keyof Native] as Callable)(...args)
    return { what: name, perform: COUNTS.has(name) ? () => void call() : call }
  }

  #construction(): Target {
    const [name, kinds] = this.#values.pick(Object.entries(CONSTRUCTORS))
    const args = this.#values.list(kinds)
    return { what: `new ${name}`, perform: () => Reflect.construct(native()[name as 'Mapping'], args) }
  }

  #mapping(): Target {
    const [name, kinds] = this.#values.pick(Object.entries(MAPPING))
    return this.#method(
      native().Mapping.prototype,
      name,
      this.#receiver(this.#values.mappings),
      this.#values.list(kinds),
    )
  }

  #watcher(): Target {
    const [name, kinds] = this.#values.pick(Object.entries(WATCHER))
    return this.#method(
      native().FdWatcher.prototype,
      name,
      this.#receiver(this.#values.watchers),
      this.#values.list(kinds),
    )
  }

  #receiver(fitting: readonly object[]): unknown {
    const { mappings, watchers } = this.#values
    if (this.#values.below(8) > 0) return this.#values.pick(fitting)
    return this.#values.pick<unknown>([{}, undefined, 1, native(), ...mappings.slice(0, 2), ...watchers.slice(0, 2)])
  }

  #method(prototype: object, name: string, receiver: unknown, args: readonly unknown[]): Target {
    const { value, get } = Object.getOwnPropertyDescriptor(prototype, name)!
    return { what: name, perform: () => (value ?? get).call(receiver, ...args) }
  }
}
