// The addon's poll on the event loop: readiness, spinning, and the order of ticks and wake-ups.
import { expect } from 'chai'
import { type NativeFdWatcher, type NativeMapping, NativeWake, native, PollEvent } from '../../src/native.js'

describe('addon: FdWatcher', () => {
  let event: number
  let watcher: NativeFdWatcher
  let mapping: NativeMapping

  function watch(handler: (wake: number, events: number) => number): void {
    watcher = new (native().FdWatcher)(event, true, handler)
    watcher.ref()
    watcher.start(PollEvent.READABLE)
  }

  beforeEach(() => {
    event = native().eventfdCreate()
    const fd = native().memfdCreate('conduit-test', 4096)
    mapping = new (native().Mapping)(Float64Array.of(fd, 0, 4096), true)
    native().closeFd(fd)
  })
  afterEach(() => {
    watcher.close()
    native().closeFd(event)
    mapping.close()
  })

  it('runs the handler once for any number of kicks before it', async () => {
    let calls = 0
    await new Promise<void>((resolve) => {
      watch(() => {
        calls++
        setImmediate(() => setImmediate(resolve))
        return 0
      })
      for (let kick = 0; kick < 10; kick++) native().eventfdNotify(event)
    })
    expect(calls).to.equal(1)
  })

  it('runs ticks and microtasks between the handler and the spin, and again after a word has moved', async () => {
    const words = new Int32Array(mapping.buffer)
    const state = new Int32Array(4)
    state[2] = 1
    const seen: string[] = []
    await new Promise<void>((resolve) => {
      watch((wake) => {
        seen.push(`wake ${wake}`)
        if (wake === NativeWake.IDLE) {
          resolve()
          return 0
        }
        state[0] = words[0]!
        if (wake === NativeWake.EVENT) {
          process.nextTick(() => seen.push('tick'))
          // The word moves in a microtask: only a spin that starts after it sees the move at once.
          void Promise.resolve().then(() => {
            seen.push('microtask')
            words[0] = 1
          })
        }
        return 1000
      })
      watcher.spinOn(mapping, 0, 4, state)
      native().eventfdNotify(event)
    })
    expect(seen).to.deep.equal([
      `wake ${NativeWake.EVENT}`,
      'tick',
      'microtask',
      `wake ${NativeWake.MOVED}`,
      `wake ${NativeWake.IDLE}`,
    ])
  })

  it('ends the turn with an idle call however often the word moves', async () => {
    const words = new Int32Array(mapping.buffer)
    const state = new Int32Array(4)
    state[2] = 1
    let timerRan = false
    setTimeout(() => {
      timerRan = true
    }, 0)
    await new Promise<void>((resolve) => {
      watch((wake) => {
        if (timerRan) {
          resolve()
          return 0
        }
        if (wake === NativeWake.IDLE) {
          native().eventfdNotify(event)
          return 0
        }
        state[0] = words[0]!
        words[0]!++
        return 1000
      })
      watcher.spinOn(mapping, 0, 4, state)
      native().eventfdNotify(event)
    })
    expect(timerRan).to.equal(true)
  })

  it('goes on when nobody holds it any more, as any handle of the event loop does', async () => {
    let fired: () => void = () => {}
    watch(() => 0)
    const other = native().eventfdCreate()
    const held = (() => {
      const unheld = new (native().FdWatcher)(other, true, () => {
        fired()
        return 0
      })
      unheld.start(PollEvent.READABLE)
      unheld.ref()
      return new WeakRef(unheld)
    })()
    // A WeakRef keeps its target until the end of the turn.
    await new Promise((resolve) => setImmediate(resolve))
    globalThis.gc!()
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise<void>((resolve) => {
      fired = resolve
      native().eventfdNotify(other)
    })
    held.deref()!.close()
    native().closeFd(other)
  })

  it('stops when the handler closes it or its mapping in the middle of a spin', async () => {
    const state = new Int32Array(4)
    let calls = 0
    await new Promise<void>((resolve) => {
      watch(() => {
        calls++
        mapping.close()
        watcher.close()
        setImmediate(resolve)
        return 1000
      })
      watcher.spinOn(mapping, 0, 4, state)
      native().eventfdNotify(event)
    })
    expect(calls).to.equal(1)
    expect(watcher.spin(100)).to.equal(false)
  })

  it('holds its descriptor: it cannot be closed, and nobody else can poll it', () => {
    watch(() => 0)
    for (const release of [native().closeFd, native().releaseFd]) {
      expect(() => release(event))
        .to.throw()
        .with.property('code', 'EBUSY')
    }
    expect(() => new (native().FdWatcher)(event, true, () => 0))
      .to.throw()
      .with.property('code', 'EEXIST')
  })

  it('refuses events that libuv does not know', () => {
    watch(() => 0)
    for (const events of [-1, 16, 64, Number.NaN, 2 ** 32 + 1]) {
      expect(() => watcher.start(events), String(events)).to.throw(RangeError)
    }
  })

  it('refuses what is no descriptor', () => {
    watch(() => 0)
    expect(() => new (native().FdWatcher)(Number.NaN, true, () => 0)).to.throw(RangeError)
    expect(() => new (native().FdWatcher)(9999, true, () => 0))
      .to.throw()
      .with.property('code', 'EBADF')
    expect(() => new (native().FdWatcher)(event, 1 as unknown as boolean, () => 0)).to.throw(TypeError)
  })

  it('takes pages from a Mapping only, whatever prototype an object claims', () => {
    watch(() => 0)
    const other = native().eventfdCreate()
    const impostor = new (native().FdWatcher)(other, true, () => 0)
    Object.setPrototypeOf(impostor, native().Mapping.prototype)
    const claimed = impostor as unknown as NativeMapping
    expect(() => watcher.spinOn(claimed, 0, 4, new Int32Array(4))).to.throw(TypeError)
    Object.setPrototypeOf(impostor, native().FdWatcher.prototype)
    impostor.close()
    native().closeFd(other)
  })

  it('refuses words outside the mapping', () => {
    watch(() => 0)
    expect(() => watcher.spinOn(mapping, Number.NaN, 0, new Int32Array(4))).to.throw(RangeError)
    expect(() => watcher.spinOn(mapping, 0, 4096, new Int32Array(4))).to.throw(RangeError)
    expect(() => watcher.spinOn(mapping, 2, 0, new Int32Array(4))).to.throw(RangeError)
    expect(() => watcher.spinOn(mapping, 0, 4, new Int32Array(3))).to.throw(TypeError)
  })
})
