// Waiting for a name that nobody holds yet. Who may hold it is not asked here.
import { namePath } from '../../protocol/conduit.js'
import type { ConduitContext } from './context.js'
import { untilAborted } from './deadline.js'
import { pause } from './outages.js'

const NAME_AGAIN_PAUSE_MS = 20

/** The watch fires at once, so a name that came in the meantime is seen. */
export async function nameAppears(context: ConduitContext, name: string, signal: AbortSignal): Promise<void> {
  const { store } = context
  let found: () => void = () => undefined
  let failed: (error: unknown) => void = () => undefined
  const appeared = new Promise<void>((resolve, reject) => {
    found = resolve
    failed = reject
  })
  const watch = await store.watch(namePath(name), () => {
    store.exists(namePath(name)).then((there) => there && found(), failed)
  })
  try {
    await untilAborted(appeared, signal)
    await pause(context, NAME_AGAIN_PAUSE_MS, signal)
  } finally {
    context.background.run(watch.close())
  }
}
