// The process's own numbers, under the names that Prometheus' client libraries share. Read when somebody asks: prom-client's
// own collectors leave observers behind that nobody can end.
import { readdirSync } from 'node:fs'
import type { Registry } from 'prom-client'

type Prometheus = typeof import('prom-client')

const MICROS_PER_SECOND = 1e6
const MILLIS_PER_SECOND = 1000

export function processMetrics({ Counter, Gauge }: Prometheus, registry: Registry): void {
  const registers = [registry]
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time',
    registers,
    collect() {
      const { user, system } = process.cpuUsage()
      this.reset()
      this.inc((user + system) / MICROS_PER_SECOND)
    },
  })
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the process started, since 1970',
    registers,
  }).set((Date.now() - process.uptime() * MILLIS_PER_SECOND) / MILLIS_PER_SECOND)
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Memory in RAM',
    registers,
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  new Gauge({
    name: 'process_open_fds',
    help: 'Open descriptors',
    registers,
    collect() {
      this.set(readdirSync('/proc/self/fd').length)
    },
  })
}
