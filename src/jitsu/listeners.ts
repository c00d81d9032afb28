// What listens for jitsud, across changes of its configuration: what did not change goes on untouched, and what is new is
// there before the old goes, so that a configuration which cannot be served takes nothing away.

/** For Listeners. */
export interface ListenersOptions<Config, Part> {
  open(config: Config): Promise<Part>
  /** Whether the second cannot be opened while the first is there: both have one address. */
  collide(first: Config, second: Config): boolean
  /** What of a configuration makes it another one: all of it by default. */
  identity?(config: Config): unknown
}

/** A change that is prepared: one of the two has to be called. */
export interface Change {
  /** From now on the new ones serve. @throws what opening one throws; those before serve again, where that is possible */
  commit(): Promise<void>
  /** Nothing has happened. */
  abandon(): Promise<void>
}

interface Entry<Config, Part> {
  readonly config: Config
  readonly part: Part
}

export class Listeners<Config, Part extends { close(): Promise<void> }> {
  readonly #options: ListenersOptions<Config, Part>
  #entries: readonly Entry<Config, Part>[] = []

  constructor(options: ListenersOptions<Config, Part>) {
    this.#options = options
  }

  /** Those that serve, in the order of their configurations, but for new ones, which come last. */
  get parts(): readonly Part[] {
    return this.#entries.map(({ part }) => part)
  }

  /**
   * Other configurations from now on.
   * @throws what opening one throws; those before go on
   */
  async prepare(configs: readonly Config[]): Promise<Change> {
    const { kept, fresh } = this.#match(configs)
    const going = this.#entries.filter((entry) => !kept.includes(entry))
    const mustWait = (config: Config): boolean => going.some((old) => this.#options.collide(old.config, config))
    const early = await this.#openAll(fresh.filter((config) => !mustWait(config)))
    return {
      commit: async () => {
        this.#entries = [...kept, ...early]
        await closeAll(going)
        const late = await this.#openAll(fresh.filter(mustWait)).catch(async (error: unknown) => {
          await closeAll(early)
          this.#entries = kept
          this.#entries = [...kept, ...(await this.#openAll(going.map(({ config }) => config)))]
          throw error
        })
        this.#entries = [...kept, ...early, ...late]
      },
      abandon: () => closeAll(early),
    }
  }

  /** Idempotent. */
  async close(): Promise<void> {
    const entries = this.#entries
    this.#entries = []
    await closeAll(entries)
  }

  /** Which of the entries stay, each for one configuration, and which configurations have none. */
  #match(configs: readonly Config[]): { kept: Entry<Config, Part>[]; fresh: Config[] } {
    const left = [...this.#entries]
    const kept: Entry<Config, Part>[] = []
    const fresh = configs.filter((config) => {
      const text = this.#identity(config)
      const index = left.findIndex((entry) => this.#identity(entry.config) === text)
      if (index >= 0) kept.push(...left.splice(index, 1))
      return index < 0
    })
    return { kept, fresh }
  }

  #identity(config: Config): string {
    return JSON.stringify(this.#options.identity?.(config) ?? config)
  }

  /** All of them, or none. */
  async #openAll(configs: readonly Config[]): Promise<Entry<Config, Part>[]> {
    const opened: Entry<Config, Part>[] = []
    try {
      for (const config of configs) opened.push({ config, part: await this.#options.open(config) })
      return opened
    } catch (error) {
      await closeAll(opened)
      throw error
    }
  }
}

async function closeAll(entries: readonly Entry<unknown, { close(): Promise<void> }>[]): Promise<void> {
  await Promise.all(entries.map(({ part }) => part.close()))
}
