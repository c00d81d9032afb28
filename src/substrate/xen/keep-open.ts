// A descriptor that must outlive this process, in the hands of a process that does nothing else: for what the kernel does not
// survive the closing of.
import { spawn } from 'node:child_process'

/** Longer than any domain runs, and what every `sleep` takes, busybox's included. */
const FOREVER_SECONDS = '2147483647'

/** The process that holds `fd` as well from here on; undefined where none can be started, and it must stay open here. */
export function keepOpen(fd: number): number | undefined {
  const keeper = spawn('/bin/sleep', [FOREVER_SECONDS], {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', fd],
    cwd: '/',
    env: {},
  })
  keeper.on('error', () => undefined)
  keeper.unref()
  return keeper.pid
}
