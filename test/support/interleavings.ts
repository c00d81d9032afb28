// Runs two real channels over one pretended page and walks through every order in which their steps can happen: each
// load, store, payload copy, kick, sleep and spin is one step. A channel cannot be stopped in the middle of a call, so
// it is run again from the start with the results it saw before, one step further each time, and then thrown out of.
// States that agree in memory and in what both ends know are visited once.
import { type Domid, domid, evtchnPort, gref } from '../../protocol/xen.js'
import type { EventChannel, EventHandler, Pages, SpinWatch } from '../../src/substrate/substrate.js'
import { noteActivity, turnsAlone } from '../../src/vchan/activity.js'
import type { VchanChannel } from '../../src/vchan/channel.js'
import type { ChannelParts, Payload, Words } from '../../src/vchan/channel-parts.js'
import { Sleeper } from '../../src/vchan/sleeper.js'

type Result = number | readonly number[]
type ActorName = 'server' | 'client'

/** What both ends share: the control page, both rings, whether an event waits for each. */
interface Shared {
  readonly page: Uint8Array
  readonly left: Uint8Array
  readonly right: Uint8Array
  readonly events: { server: boolean; client: boolean }
}

interface Actor {
  readonly log: readonly Result[]
  readonly logId: number
  /** What it does next, or undefined when it has finished or was killed. */
  readonly next: string | undefined
  readonly outcome: unknown
  readonly killed: boolean
}

interface State {
  readonly shared: Shared
  readonly server: Actor
  readonly client: Actor
  readonly parent: State | undefined
  readonly step: string
}

/** An end of the channel as a plain function that returns what came of it. */
export type Program = (end: End) => unknown

export interface Exploration {
  readonly server: Program
  readonly client: Program
  /** Ring sizes are 2 ** order, and may be smaller than vchan's own. */
  readonly orders?: { left: number; right: number }
  readonly startIndex?: number
  readonly endMarks?: boolean
  /** Also kill this end before each of its steps. */
  readonly kill?: ActorName
  /** Called for every state in which both ends are done. */
  readonly onOutcome: (outcome: { server: unknown; client: unknown; killed: boolean; shared: Shared }) => void
}

export interface Explored {
  readonly states: number
  readonly outcomes: number
}

/** Counters and what belongs to the harness: nothing that a channel decides by. */
const NOT_STATE = new Set([
  ...['parts', 'event', 'doorbell', 'words', 'memory', 'arrival', 'handler', 'owner', 'at', 'watched'],
  ...['notifiesSent', 'readCount', 'writtenCount', 'wakeups', 'spinHits', 'spinMisses', 'lateLooks'],
])

/** A channel's private state as plain data. */
function digest(value: unknown): unknown {
  if (value instanceof Int32Array) return [...value]
  if (value instanceof Promise) return 'promise'
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).filter(([key]) => !NOT_STATE.has(key))
  const turns = value instanceof Sleeper ? turnsAlone(value) : 0
  return [turns, ...fields.map(([key, field]) => [key, digest(field)])]
}

const YIELD = Symbol('yield')
const PEER: Domid = domid(1)
const END_MARKS_AT = 24
const CLI_LIVE = 20

/** One run of one end: replays its log, then takes one real step or none. */
export class End implements EventChannel {
  readonly port = evtchnPort(1)
  readonly wakeMicros = 50
  readonly parts: ChannelParts
  readonly log: Result[]
  next: string | undefined
  /** At a sleep or a spin: this end's whole state. */
  summary: string | undefined
  #describe: () => string = () => ''
  #cursor = 0
  #live: boolean
  #stopped = false
  #handler: EventHandler | undefined
  #watch: SpinWatch | undefined
  #closed = false
  readonly queue: (() => void)[] = []
  readonly #shared: Shared
  readonly #role: ActorName

  constructor(role: ActorName, shared: Shared, log: readonly Result[], live: boolean, options: Exploration) {
    this.#role = role
    this.#shared = shared
    this.log = [...log]
    this.#live = live
    const pages: Pages = { buffer: new ArrayBuffer(0), bytes: 0, closed: false, close: () => {} }
    const { left = 1, right = 1 } = options.orders ?? {}
    const shape = { role, peer: PEER, ringRef: gref(8), port: this.port, orders: { left, right } }
    const rings = { words: this.#words(), left: this.#payload('left'), right: this.#payload('right') }
    this.parts = { ...shape, ...rings, event: this, pages: [], control: pages, endMarks: options.endMarks !== false }
  }

  /** Let everything that waits for the end of the tick happen. */
  tick(): void {
    for (let call = this.queue.shift(); call !== undefined; call = this.queue.shift()) call()
  }

  /**
   * Sleep until an event comes, and let the channel handle it, spinning included. `describe` is the program's own
   * state beside the channel's: with nothing else on the stack, the two say all that matters from here on.
   */
  sleep(channel: VchanChannel, describe: () => unknown = () => ''): void {
    this.#describe = () => JSON.stringify([digest(channel), describe()])
    this.#step('sleep', ({ events }) => {
      events[this.#role] = false
      return 0
    })
    let micros = this.#call('event')
    while (micros > 0) {
      const moved = this.#step('spin', () => (this.#moved() ? 1 : 0)) === 1
      micros = this.#call(moved ? 'moved' : 'idle')
      if (!moved) return
    }
  }

  notify(): void {
    if (this.#closed) return
    this.#step('kick', ({ events }) => {
      events[this.#role === 'server' ? 'client' : 'server'] = true
      return 0
    })
  }

  onEvent(handler: EventHandler): void {
    this.#handler = handler
  }

  spinOn(watch: SpinWatch): void {
    this.#watch = watch
  }

  spin(): boolean {
    return this.#step('short spin', () => (this.#moved() ? 1 : 0)) === 1
  }

  ref(): void {}

  unref(): void {}

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  #call(wake: 'event' | 'moved' | 'idle'): number {
    const micros = this.#closed ? 0 : this.#handler!(wake)
    this.tick()
    return this.#closed ? 0 : micros
  }

  #moved(): boolean {
    const { offsets, state } = this.#watch!
    const view = new DataView(this.#shared.page.buffer)
    return [0, 1].some((i) => (state[2]! & (1 << i)) !== 0 && view.getInt32(offsets[i]!, true) !== state[i])
  }

  #step(what: string, perform: (shared: Shared) => Result): Result {
    if (this.#stopped) throw YIELD
    if (this.#cursor < this.log.length) return this.log[this.#cursor++]!
    if (!this.#live) {
      this.#stopped = true
      this.next = what
      if (what === 'sleep' || what === 'spin') this.summary = `${what}${this.#describe()}`
      throw YIELD
    }
    this.#live = false
    const result = perform(this.#shared)
    this.log.push(result)
    this.#cursor++
    return result
  }

  #words(): Words {
    const view = new DataView(this.#shared.page.buffer)
    const { page } = this.#shared
    const update = (what: string, at: number, value: (old: number) => number): number =>
      this.#step(what, () => {
        const old = page[at]!
        page[at] = value(old)
        return old
      }) as number
    return {
      load32: (at) => this.#step(`load32 ${at}`, () => view.getInt32(at, true)) as number,
      store32: (at, value) => {
        this.#step(`store32 ${at} ${value}`, () => {
          view.setInt32(at, value, true)
          return 0
        })
      },
      load8: (at) => this.#step(`load8 ${at}`, () => page[at]!) as number,
      store8: (at, value) => {
        update(`store8 ${at} ${value}`, at, () => value)
      },
      or8: (at, bits) => update(`or8 ${at} ${bits}`, at, (old) => old | bits),
      and8: (at, bits) => update(`and8 ${at} ${bits}`, at, (old) => old & bits),
    }
  }

  #payload(side: 'left' | 'right'): Payload {
    const ring = this.#shared[side]
    const mask = ring.length - 1
    return {
      put: (position, source, start, count) => {
        this.#step(`put ${side} ${count}`, () => {
          for (let i = 0; i < count; i++) ring[(position + i) & mask] = source[start + i]!
          return 0
        })
      },
      take: (position, target, start, count) => {
        const copy = (): number[] => Array.from({ length: count }, (_, i) => ring[(position + i) & mask]!)
        target.set(this.#step(`take ${side} ${count}`, copy) as number[], start)
      },
    }
  }
}

/** Visit every reachable state. @throws Error with the steps that led there, when both ends sleep for ever or a program fails */
export function explore(options: Exploration): Explored {
  const logIds = new Map<string, number>()
  const seen = new Set<string>()
  const intern = (parent: number, entry: Result | string): number => {
    const key = `${parent}:${entry}`
    const known = logIds.get(key) ?? logIds.size + 1
    logIds.set(key, known)
    return known
  }
  const fresh: Actor = { log: [], logId: 0, next: undefined, outcome: undefined, killed: false }
  const shared = startPage(options)
  const run = (role: ActorName, from: State | undefined, live: boolean): Actor =>
    runActor(role, from?.[role] ?? fresh, from?.shared ?? shared, live, options, intern)
  const first: State = {
    shared,
    server: run('server', undefined, false),
    client: run('client', undefined, false),
    parent: undefined,
    step: 'start',
  }
  const stack = [first]
  let outcomes = 0
  while (stack.length > 0) {
    const state = stack.pop()!
    const runnable = (['server', 'client'] as const).filter((role) => canRun(state, role))
    const { server, client } = state
    if (server.next === undefined && client.next === undefined) {
      outcomes++
      guarded(state, () => {
        options.onOutcome({
          server: server.outcome,
          client: client.outcome,
          killed: server.killed || client.killed,
          shared: state.shared,
        })
      })
    } else if (runnable.length === 0) {
      throw new Error(`both ends sleep for ever after:\n${trace(state)}`)
    }
    const followers = runnable.map((role) => guarded(state, () => advance(state, role, run)))
    if (options.kill !== undefined && state[options.kill].next !== undefined)
      followers.push(killed(state, options.kill))
    for (const follower of followers) {
      const key = keyOf(follower)
      if (seen.has(key)) continue
      seen.add(key)
      stack.push(follower)
    }
  }
  return { states: seen.size, outcomes }
}

function startPage({ orders = { left: 1, right: 1 }, startIndex = 0, endMarks = true }: Exploration): Shared {
  const page = new Uint8Array(END_MARKS_AT + 8)
  const view = new DataView(page.buffer)
  for (const index of [0, 4, 8, 12]) view.setUint32(index, startIndex, true)
  page[CLI_LIVE] = 2
  page[21] = 1
  page[22] = 1
  if (endMarks) page[END_MARKS_AT + 5] = 1
  const left = new Uint8Array(2 ** orders.left)
  return { page, left, right: new Uint8Array(2 ** orders.right), events: { server: false, client: false } }
}

const canRun = (state: State, role: ActorName): boolean =>
  state[role].next !== undefined && (state[role].next !== 'sleep' || state.shared.events[role])

function copyOf({ page, left, right, events }: Shared): Shared {
  return { page: page.slice(), left: left.slice(), right: right.slice(), events: { ...events } }
}

function advance(state: State, role: ActorName, run: (role: ActorName, from: State, live: boolean) => Actor): State {
  const shared = copyOf(state.shared)
  const step = `${role}: ${state[role].next}`
  const moved = run(role, { ...state, shared }, true)
  return { ...state, shared, [role]: moved, parent: state, step }
}

/** As the kernel leaves it: the live byte cleared, then the event. */
function killed(state: State, role: ActorName): State {
  const shared = copyOf(state.shared)
  shared.page[role === 'client' ? CLI_LIVE : CLI_LIVE + 1] = 0
  shared.events[role === 'client' ? 'server' : 'client'] = true
  const victim: Actor = { ...state[role], next: undefined, killed: true }
  return { ...state, shared, [role]: victim, parent: state, step: `${role}: killed` }
}

function runActor(
  role: ActorName,
  before: Actor,
  shared: Shared,
  live: boolean,
  options: Exploration,
  intern: (parent: number, entry: Result | string) => number,
): Actor {
  const end = new End(role, shared, before.log, live, options)
  let outcome: unknown
  withStubs(end, () => {
    try {
      outcome = options[role](end)
    } catch (error) {
      if (error !== YIELD) throw error
    }
  })
  const last = end.log.length > before.log.length ? end.log.at(-1) : undefined
  // Where the end's whole state is known, how it came there no longer matters.
  const seenId = last === undefined ? before.logId : intern(before.logId, last)
  const logId = end.summary === undefined ? seenId : intern(0, end.summary)
  return { log: end.log, logId, next: end.next, outcome, killed: false }
}

/** Ticks and turns of the loop become part of the program; what other channels did is forgotten. */
function withStubs(end: End, body: () => void): void {
  const { nextTick } = process
  const { setImmediate: immediate } = globalThis
  noteActivity({})
  process.nextTick = ((call: (...args: unknown[]) => void, ...args: unknown[]) => {
    end.queue.push(() => call(...args))
  }) as typeof process.nextTick
  globalThis.setImmediate = ((call: () => void) => end.queue.push(call)) as unknown as typeof setImmediate
  try {
    body()
  } finally {
    process.nextTick = nextTick
    globalThis.setImmediate = immediate
  }
}

function keyOf({ shared, server, client }: State): string {
  const { page, left, right, events } = shared
  const ends = [server, client].map(({ logId, killed: dead }) => `${logId}${dead ? 'x' : ''}`)
  return `${ends}|${page}|${left}|${right}|${events.server}|${events.client}`
}

function guarded<T>(state: State, body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw new Error(`${(error as Error).message}\nafter:\n${trace(state)}`, { cause: error })
  }
}

function trace(state: State): string {
  const steps: string[] = []
  for (let at: State | undefined = state; at !== undefined; at = at.parent) steps.push(at.step)
  return steps.reverse().join('\n')
}
