// What the program jitsud does: serves a configuration until it is told to end, and takes a new one over at SIGHUP.
import { join } from 'node:path'
import type { JitsudConfig } from '../../protocol/jitsud-config.js'
import { untilAborted } from '../conduit/deadline.js'
import { Jitsud } from '../jitsu/jitsud.js'
import { errorFields, type Logger, type LogLevel } from '../jitsu/logger.js'
import { openLogger } from '../jitsu/pino-logger.js'
import type { Interrupted } from './exit-status.js'
import { catchInterruption } from './interruption.js'
import type { LogFormat, OnExit } from './jitsud-options.js'
import { packageVersion } from './package-version.js'
import { ServiceNotices } from './service-notices.js'

const STATE_FILE = 'state.json'

/** What the command line says beside the configuration. */
export interface ServeOptions {
  /** The configuration as it is now; for the start, and for each SIGHUP. */
  readonly read: () => Promise<JitsudConfig>
  /** Its file, where there is one. */
  readonly file: string | undefined
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly onExit: OnExit
}

/**
 * Never resolves.
 * @throws Interrupted when a signal asks it to end; ConduitError CONFIG, EADDRINUSE, EACCES, SUBSTRATE_UNAVAILABLE, …
 */
export async function serveServices(options: ServeOptions): Promise<never> {
  const interrupted = catchInterruption(['SIGINT', 'SIGTERM'])
  // Before anything else: a SIGHUP that nobody catches ends the process.
  const hangups = new Hangups()
  const config = await options.read()
  const log = await logger(options)
  const notices = ServiceNotices.fromEnvironment({ log })
  const { file, onExit } = options
  const starting = Jitsud.start({
    config,
    configFile: file,
    log,
    onExit,
    stateFile: stateFileOfSystemd(),
    version: packageVersion(),
  })
  try {
    const jitsud = await untilAborted(starting, interrupted)
    await notices.ready(jitsud.summary)
    hangups.attend(() => reload({ jitsud, options, log, notices }))
    return await untilAborted(new Promise<never>(() => undefined), interrupted)
  } finally {
    if (interrupted.aborted) log.info('jitsud ends', { signal: (interrupted.reason as Interrupted).signal })
    await notices.stopping()
    // One that is still starting is waited for: it may have launched something.
    await starting.then(
      (jitsud) => jitsud.close(),
      () => undefined,
    )
  }
}

interface Reloading {
  readonly jitsud: Jitsud
  readonly options: ServeOptions
  readonly log: Logger
  readonly notices: ServiceNotices
}

/** Never rejects: what was before goes on. */
async function reload({ jitsud, options, log, notices }: Reloading): Promise<void> {
  await notices.reloading()
  try {
    await jitsud.reload(await options.read())
    log.info('the configuration was read again', { file: options.file })
  } catch (error) {
    jitsud.reloadFailed(error as Error)
    log.error('the new configuration is refused, and the one before goes on', errorFields(error))
  }
  await notices.ready(jitsud.summary)
}

function logger({ logLevel, logFormat }: ServeOptions): Promise<Logger> {
  const onTerminal = process.stderr.isTTY === true
  const pretty = logFormat === 'text' || (logFormat === 'auto' && onTerminal)
  return openLogger({ level: logLevel, pretty, colour: pretty && onTerminal && !process.env.NO_COLOR })
}

/** SIGHUPs, one after the other; those that come while one is attended to are one more. */
class Hangups {
  #attend: (() => Promise<void>) | undefined
  #waiting = false
  #busy = false

  constructor() {
    process.on('SIGHUP', () => {
      this.#waiting = true
      void this.#run()
    })
  }

  attend(attend: () => Promise<void>): void {
    this.#attend = attend
    void this.#run()
  }

  async #run(): Promise<void> {
    if (this.#attend === undefined || this.#busy) return
    this.#busy = true
    while (this.#waiting) {
      this.#waiting = false
      await this.#attend()
    }
    this.#busy = false
  }
}

/** In the first of the folders that StateDirectory= of the unit names (systemd.exec(5)). */
function stateFileOfSystemd(): string | undefined {
  const [folder] = (process.env.STATE_DIRECTORY ?? '').split(':')
  return folder ? join(folder, STATE_FILE) : undefined
}
