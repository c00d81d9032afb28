// `jitsud status` for people.
import type { Counters, JitsudStatus, LastSummon } from '../jitsu/admin/status.js'
import { formatSpan, printable } from '../jitsu/timeline-phases.js'
import { textTable } from './text-table.js'

/** Services, held addresses, and what jitsud says of itself. */
export function statusLines(status: JitsudStatus): string[] {
  const { version, pid, backend, config, dns, services, reloadError } = status
  const where = config === null ? '' : `, ${printable(config)}`
  const pools = services.flatMap(({ name, pool }) => (pool === null ? [] : [{ service: name, ...pool }]))
  const held = services.flatMap(({ name, held }) => held.map((one) => ({ service: name, ...one })))
  return [
    `jitsud ${printable(version)}, process ${pid}, ${printable(backend)}${where}, since ${moment(status.startedAtMs)}`,
    ...(reloadError === null ? [] : [`the last reload failed, what was before goes on: ${printable(reloadError)}`]),
    ...(dns === null ? [] : [`dns ${printable(dns.address)}: ${countersText(dns.counters)}`]),
    '',
    ...textTable(
      ['SERVICE', 'STATE', 'DOMID', 'PID', 'SUMMONS', 'LAST', 'NAMES'],
      services.map(({ name, state, domid, pid, lastSummon, dns: names }) => [
        printable(name),
        state,
        domid ?? '-',
        pid ?? '-',
        lastSummon?.number ?? 0,
        lastText(lastSummon),
        names.map(printable).join(' '),
      ]),
    ),
    ...(pools.length + held.length === 0 ? [] : ['']),
    ...pools.map(({ service, wanted, ready, problem, memoryBytes, counters }) => {
      const why = problem === null ? '' : ` (${printable(problem)})`
      const mib = (memoryBytes / 2 ** 20).toFixed(1)
      return `warm ${printable(service)}: ${ready} of ${wanted}${why}, ${mib} MiB: ${countersText(counters)}`
    }),
    ...held.map(({ service, address, counters }) => {
      return `held ${printable(address)} for ${printable(service)}: ${countersText(counters)}`
    }),
  ]
}

function lastText(last: LastSummon | null): string {
  if (last === null) return '-'
  if (last.outcome === 'ready' && last.readyMs !== null) return `ready after ${formatSpan(last.readyMs)}`
  return last.error === null ? last.outcome : `${last.outcome}: ${printable(last.error)}`
}

const moment = (millis: number): string => {
  const date = new Date(millis)
  return Number.isNaN(date.getTime()) ? '?' : date.toISOString().slice(0, 19).replace('T', ' ')
}

/** `queries 12, forwarded 3`; what never happened is left out. */
function countersText(counters: Counters): string {
  const counted = Object.entries(counters)
    .flatMap(([name, value]) =>
      typeof value === 'number'
        ? [[spaced(name), value] as const]
        : Object.entries(value).map(([code, count]) => [`${spaced(name)} ${code}`, count] as const),
    )
    .filter(([, value]) => value !== 0)
  return counted.length === 0 ? 'nothing yet' : counted.map(([name, value]) => `${printable(name)} ${value}`).join(', ')
}

const spaced = (name: string): string => name.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`)
