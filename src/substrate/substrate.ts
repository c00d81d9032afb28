// The contract of a substrate: the only thing that Xen, a Linux laptop and the in-process test
// double implement differently. It knows pages, ports and where the store is; no rings, no names.
import type { Domid, EvtchnPort, Gref } from '../../protocol/xen.js'
import type { XenstoreTransport } from '../xenstore/transport.js'

/**
 * What a mapping allows. Memory, the in-process substrate, does not enforce `'r'`: a test there cannot catch a write
 * that would be a fault elsewhere.
 */
export type Access = 'r' | 'rw'

/**
 * Clear one byte, then kick one port, when my mapping of these pages dies by whatever cause: `close()`,
 * process.exit, kill -9. Crash detection rests on it. `byteOffset` counts from the start of the share or mapping.
 */
export interface UnmapNotify {
  /** The byte to set to 0: in a vchan its side's live byte. */
  readonly byteOffset: number
  /**
   * A local port of the side that registers the notification. One that is still on its way spares a round trip: pages are
   * asked for beside it and are there once both are; without the port there are no pages, and its reason rejects.
   */
  readonly port: EvtchnPort | Promise<EvtchnPort>
}

/** Pages in this process's memory: one live ArrayBuffer over all of them. */
export interface Pages {
  /** The current ArrayBuffer; detached, of byteLength 0, once closed. Untransferable. */
  readonly buffer: ArrayBuffer
  /** Size in bytes, a multiple of 4,096; as it was, once closed. */
  readonly bytes: number
  /** Whether the pages were given back: by this object's close(), or by the whole substrate's. */
  readonly closed: boolean
  /** Detach the buffer, clear the notify byte, kick the port, unmap. Idempotent, never throws. */
  close(): void
}

/** Pages that this domain owns and has granted to one peer. Zeroed at first. */
export interface Share extends Pages {
  /** One reference a page, in order. */
  readonly grefs: readonly Gref[]
}

/** Pages of a peer, mapped here in the order of the references asked for. */
export interface Mapping extends Pages {}

/**
 * Why an event handler runs: the port fired; a watched word moved while spinning; spinning brought nothing; or the
 * hypervisor knows port and pages no longer, which are closed: the domain was restored from an image.
 */
export type Wake = 'event' | 'moved' | 'idle' | 'lost'

/**
 * Words to spin on before sleeping. `words[0]` and `words[1]` hold the last seen values of the two u32 at
 * `offsets` in `pages`; `mask` bit 0 and bit 1 say which of the two to look at.
 */
export interface SpinWatch {
  /** Where the words lie: pages of the same substrate. Once closed, nothing spins. */
  readonly pages: Pages
  /** Byte offsets of the two words in `pages`, multiples of 4. */
  readonly offsets: readonly [number, number]
  /**
   * Int32Array(4) in ordinary memory: expected value of word 0, of word 1, mask, all written by the handler; and 1 once
   * a spin had to give this CPU to others for long, written by the substrate.
   */
  readonly state: Int32Array
}

/**
 * Runs on each wake-up. Returns for how many microseconds to spin on the {@link SpinWatch} before sleeping, 0 for none.
 * After `'idle'` it must arm its notification, look once more, and return 0. Ticks and microtasks run between calls.
 */
export type EventHandler = (wake: Wake) => number

/**
 * One end of an event channel: a bell between two domains. It carries no data and says not how often it was rung, so
 * whoever hears it looks at the shared pages.
 */
export interface EventChannel {
  /** This end's own number: what the peer passes to {@link Substrate.bind}, when this end listens. */
  readonly port: EvtchnPort
  /** About what it costs to wake an idle peer, in microseconds: as long as that a spin may pay. */
  readonly wakeMicros: number
  /** Kick the other end. Coalesces; a kick of a closed or unbound end is dropped. Never throws. */
  notify(): void
  /** Set the handler; events that came before are delivered. A port has one handler. */
  onEvent(handler: EventHandler): void
  /** Let the substrate spin between calls of the handler. Ignored where it cannot, or would only lose (one CPU, loopback). */
  spinOn(watch: SpinWatch): void
  /** Busy-wait for at most `micros` until a masked word of the watch has moved: true when one did. False at once where spinning is ignored. */
  spin(micros: number): boolean
  /** Whether this port keeps the process's event loop alive: it does after `ref()`, not before and not after `unref()`. */
  ref(): void
  /** Let the event loop end although this port is open; its handler still runs while something else keeps the loop. */
  unref(): void
  /** Idempotent; the handler never runs after the call. */
  close(): Promise<void>
}

/** How {@link Substrate.share} grants. */
export interface ShareOptions {
  /** What the peer may do with the pages; `'rw'` by default. */
  readonly access?: Access
  /** What the owner's own death does to the pages, which the peer may still have mapped. */
  readonly onUnmap?: UnmapNotify
}

/** How {@link Substrate.map} maps. */
export interface MapOptions {
  /** No more than was granted: `'rw'` of pages granted `'r'` is refused. */
  readonly access: Access
  /** What this side's death does to the pages, which stay their owner's. */
  readonly onUnmap?: UnmapNotify
}

/** Pages that may be granted at a time, and how many of them this process has granted. */
export interface GrantBudget {
  /** Infinite where nothing counts them. Others may hold pages of it, too. */
  readonly limit: number
  /** Pages that this environment has granted and not given back. */
  readonly held: number
}

/** One domain's view of a hypervisor. Every method that takes `peer` acts for that domain only. */
export interface Substrate {
  /** For choices such as a default ring size; never to ask which methods there are. */
  readonly kind: 'memory' | 'local' | 'xen'
  /** This domain's number. It may change once the hypervisor was lost: read it, do not keep it. */
  readonly domid: Domid
  /** For choosing sizes: what it leaves may be refused all the same. */
  readonly grantBudget: GrantBudget
  /**
   * Allocate `pages` zeroed pages and grant them to `peer`.
   * @throws ConduitError GRANT_LIMIT, SUBSTRATE_LOST, EMFILE
   */
  share(peer: Domid, pages: number, options?: ShareOptions): Promise<Share>
  /**
   * Map pages that `peer` granted to this domain: all or nothing.
   * @throws ConduitError GRANT_INVALID, MAPPING_FAILED, SUBSTRATE_LOST, EMFILE
   */
  map(peer: Domid, grefs: readonly Gref[], options: MapOptions): Promise<Mapping>
  /**
   * A new unbound port that only `peer` may bind.
   * @throws ConduitError GRANT_LIMIT, SUBSTRATE_LOST, EMFILE
   */
  listen(peer: Domid): Promise<EventChannel>
  /**
   * Bind to `port` of `peer`.
   * @throws ConduitError EVTCHN_INVALID, SUBSTRATE_LOST, EMFILE
   */
  bind(peer: Domid, port: EvtchnPort): Promise<EventChannel>
  /**
   * A new connection to the store, with this domain's rights.
   * @throws ConduitError SUBSTRATE_LOST, EMFILE
   */
  xenstore(): Promise<XenstoreTransport>
  /** Close every port, share and mapping, and leave. Idempotent. */
  close(): Promise<void>
  /** {@link Substrate.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}
