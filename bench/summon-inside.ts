// The part of bench/summon.ts that runs in dom0: starts guests one way and the other, and prints each sample as a line of JSON.
import { parseArgs } from 'node:util'
import type { Launcher } from '../src/jitsu/launcher.js'
import { Launchers } from '../src/jitsu/launchers/launchers.js'
import { openEnvironment } from '../src/open.js'
import { openStore } from '../test/support/xen-machine.js'
import { unikernelImage } from '../testbed/unikernel-images.js'
import { GUEST_TYPES, MEMORIES_MIB, type Moment, type Sample, type Store, WAYS, type Way } from './summon-cases.js'
import { GuestChannel, type Started, untilReady } from './summon-guest.js'
import { createByXl, type GuestKind, launch, launcherOf, prepare } from './summon-launch.js'

const IMAGES = { clock: '/root/conduit-clock.elf', http: unikernelImage('http') } as const
type Image = keyof typeof IMAGES
/** At once, of `direct-ten`. */
const TEN = 10
/** xl takes seconds for each: crowds of it are no larger. */
const XL_CROWD_MAX = 50

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'c' },
    runs: { type: 'string', default: '5' },
    crowds: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
  },
})
const only = values.only.split(',').filter((word) => word !== '')
const wanted = (word: string): boolean => only.length === 0 || only.includes(word)

const store = await openStore()
const conduit = await openEnvironment({ backend: 'xen' })
const launchers = await Launchers.open({ directory: '/tmp/bench-summon', xenStore: store })
let names = 0
const nextName = (): string => `bench-${++names}`

function print(sample: Sample): void {
  process.stdout.write(`${JSON.stringify(sample)}\n`)
}

/** The domid that Xen gives out next: the one after that of a domain that was just made. */
async function nextDomid(launcher: Launcher): Promise<number> {
  const probe = await prepare(launcher, nextName())
  await probe.discard()
  return probe.domid! + 1
}

/** From just before `start` to the first byte that came back. */
async function observe(
  { image, domid }: { readonly image: Image; readonly domid: number | undefined },
  start: () => Promise<Started>,
): Promise<{ readonly times: Partial<Record<Moment, number>>; readonly bootMs?: number }> {
  const watching = new AbortController()
  const readiness = domid === undefined ? undefined : untilReady(store, domid, watching.signal)
  readiness?.catch(() => undefined)
  const began = performance.now()
  const started = await start()
  try {
    if (domid !== undefined && started.domid !== domid) throw new Error(`domid ${started.domid} came for ${domid}`)
    // Only what is published before it runs can be connected to before it is ready.
    const ready = await readiness
    const channel = await GuestChannel.open(conduit, started.domid)
    const since = (at: number): number => at - began
    if (image === 'http') {
      const http = since(await channel.firstHttpByte())
      channel.close()
      return { times: { http } }
    }
    const { came, times } = await channel.exchange()
    const distance = await channel.clockDistance()
    channel.close()
    return {
      times: {
        instruction: since(times.began - distance),
        ready: since(ready ?? times.ready - distance),
        echo: since(came),
      },
      bootMs: times.ready - times.began,
    }
  } finally {
    watching.abort()
    await started.destroy()
  }
}

async function summonOnce(way: Way, kind: GuestKind, image: Image, launcher: Launcher): Promise<Sample[]> {
  const sampleOf = (found: Awaited<ReturnType<typeof observe>>): Sample => ({
    kind: 'summon',
    type: kind.type,
    mib: kind.mib,
    way,
    ...found,
  })
  const name = nextName()
  if (way === 'direct-ten') {
    const names = Array.from({ length: TEN }, nextName)
    const all = names.map((each) => observe({ image, domid: undefined }, () => launch(launcher, each)))
    return (await Promise.all(all)).map(sampleOf)
  }
  if (way === 'pool' || way === 'provisioned') {
    const prepared = await prepare(launcher, name)
    const domid = way === 'pool' ? prepared.domid : undefined
    return [sampleOf(await observe({ image, domid }, () => launch(prepared, name)))]
  }
  const domid = await nextDomid(launcher)
  const start = (): Promise<Started> =>
    way === 'direct' ? launch(launcher, name) : createByXl(name, kind, domid, way === 'xl-minimum')
  return [sampleOf(await observe({ image, domid }, start))]
}

async function summons(runs: number): Promise<void> {
  for (const type of GUEST_TYPES.filter(wanted)) {
    for (const image of (['clock', 'http'] as const).filter(wanted)) {
      for (const mib of MEMORIES_MIB.filter((each) => wanted(String(each)))) {
        const kind = { type, mib, kernel: IMAGES[image] }
        for (const way of WAYS.filter(wanted)) await summonsOf(way, kind, image, runs)
      }
    }
  }
}

/** The first is not kept: it runs code for the first time, here and in the emulator. */
async function summonsOf(way: Way, kind: GuestKind, image: Image, runs: number): Promise<void> {
  // Ten of the largest have no room in the machine.
  if (way === 'direct-ten' && kind.mib > 64) return
  const launcher = await launcherOf(launchers, kind, way === 'provisioned')
  try {
    for (let run = 0; run <= runs; run++) {
      const samples = await summonOnce(way, kind, image, launcher)
      if (run > 0) samples.forEach(print)
    }
  } finally {
    await launcher.close()
  }
}

async function crowd(how: 'xl' | 'direct', order: 'sequence' | 'parallel', count: number): Promise<void> {
  const kind = { type: 'pv', mib: 4, kernel: IMAGES.clock } as const
  const launcher = await launcherOf(launchers, kind)
  const first = await nextDomid(launcher)
  const guests: Started[] = []
  const startOne = async (at: number): Promise<void> => {
    const name = nextName()
    // Those at once come in whatever order: each is asked for its own domid.
    const domid = how === 'xl' ? first + at : undefined
    const guest = domid === undefined ? await launch(launcher, name) : await createByXl(name, kind, domid, false)
    guests.push(guest)
    await untilReady(store, guest.domid, AbortSignal.timeout(600_000))
  }
  try {
    const began = performance.now()
    if (order === 'parallel') await Promise.all(Array.from({ length: count }, (_, at) => startOne(at)))
    else for (let at = 0; at < count; at++) await startOne(at)
    const seconds = (performance.now() - began) / 1000
    print({ kind: 'crowd', store: values.store as Store, how, order, count, seconds })
  } finally {
    for (const guest of guests) await guest.destroy()
    await launcher.close()
  }
}

if (values.store === 'c') await summons(Number(values.runs))
for (const count of values.crowds.split(',').map(Number).filter(Boolean)) {
  for (const how of ['direct', 'xl'] as const) {
    if (how === 'xl' && count > XL_CROWD_MAX) continue
    for (const order of ['sequence', 'parallel'] as const) await crowd(how, order, count)
  }
}
await conduit.close()
await store.close()
