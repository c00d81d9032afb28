// The public API of conduit-vchan/jitsu: re-exports, nothing else.
export type { JitsudConfig } from '../../protocol/jitsud-config.js'
export type { ServiceConfig } from '../../protocol/jitsud-service-config.js'
export type {
  Counters,
  Health,
  HeldStatus,
  JitsudStatus,
  LastSummon,
  PoolStatus,
  ServiceStatus,
} from './admin/status.js'
export { type HeldPlace, Jitsud, type JitsudOptions, type OnExit } from './jitsud.js'
export type {
  LaunchContext,
  Launched,
  Launcher,
  LaunchStep,
  PrepareContext,
  Prepared,
  StopMode,
} from './launcher.js'
export type { CreateLauncher, LauncherSurroundings } from './launchers/module-launcher.js'
export { LOG_LEVELS, type LogFields, type Logger, type LogLevel } from './logger.js'
export type { MonotonicClock } from './monotonic-clock.js'
export { openLogger, type PinoLoggerOptions } from './pino-logger.js'
export { checkedConfig, readConfig } from './read-config.js'
export type { Instance, ServiceState, SummonedBy } from './summon.js'
export { TIMELINE_STEPS, type Timeline, type TimelineStep } from './timeline.js'
export { timelineSvg } from './timeline-svg.js'
export { type TimelineTextOptions, timelineLines } from './timeline-text.js'
