import type { Substrate } from '../../src/substrate/substrate.js'

/** A substrate that tells of what is asked of it, and fails where it is told to. */
export class WatchedSubstrate {
  binds = 0
  maps = 0
  /** Of those, answered. */
  answered = 0
  failMap: (() => Promise<never>) | undefined
  /** What to open an environment with. */
  readonly face: Substrate

  constructor(substrate: Substrate) {
    const own = {
      bind: async (...args: Parameters<Substrate['bind']>) => {
        const bound = await substrate.bind(...args)
        this.binds++
        return bound
      },
      map: async (...args: Parameters<Substrate['map']>) => {
        this.maps++
        const mapping = this.failMap === undefined ? substrate.map(...args) : this.failMap()
        return mapping.finally(() => this.answered++)
      },
    }
    this.face = new Proxy(substrate, {
      get: (target, key) => {
        if (key in own) return own[key as keyof typeof own]
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}
