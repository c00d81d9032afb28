// Jitsu's own command line, told from jitsud's: whoever comes from there starts jitsud as before. What it means is
// protocol/jitsu-command-line.ts.
import { getServers } from 'node:dns'
import { isIP } from 'node:net'
import { parseJitsuCommandLine } from '../../protocol/jitsu-command-line.js'
import type { JitsudConfig } from '../../protocol/jitsud-config.js'
import { UsageError } from './usage-error.js'

/** Options of jitsud that go with Jitsu's: each has a value. */
const OWN = /^--(?:log-level|log-format|on-exit)(=|$)/
/** An option of Jitsu's by its letter or its word, or a machine: `dns=www.example.org,…`. */
const JITSU =
  /^(?:-[blcfpdtmx]|--(?:bind|listen|connect|forwarder|port|delay|ttl|mode|backend|synjitsu|persistdb)(?:=|$)|[a-z_]+=)/
const FAULTS_SHOWN = 8

export interface JitsuArguments {
  /** For jitsud's own grammar. */
  readonly own: readonly string[]
  /** For Jitsu's; empty where it is not that. */
  readonly jitsu: readonly string[]
}

/** @param subcommands words that are jitsud's where they come first */
export function splitJitsuArguments(args: readonly string[], subcommands: readonly string[]): JitsuArguments {
  const own: string[] = []
  const jitsu: string[] = []
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [given, joined] = OWN.exec(arg) ?? []
    if (given === undefined) jitsu.push(arg)
    else own.push(arg, ...(joined === '' && rest.length > 0 ? [rest.shift()!] : []))
  }
  const isJitsu = !subcommands.includes(jitsu[0] ?? '') && jitsu.some((arg) => JITSU.test(arg))
  return isJitsu && !jitsu.some((arg) => /^--config(=|$)/.test(arg)) ? { own, jitsu } : { own: args, jitsu: [] }
}

/** @throws UsageError with each word that is wrong */
export function jitsuConfig(args: readonly string[]): JitsudConfig {
  const nameservers = getServers().filter((server) => isIP(server) !== 0)
  const parsed = parseJitsuCommandLine(args, { cwd: process.cwd(), nameservers })
  if (parsed.ok) return parsed.config
  const problems = parsed.faults.slice(0, FAULTS_SHOWN).map(({ path, problem, accepted }) => {
    return `${path === '' ? '' : `${path}: `}${problem}: it takes ${accepted}`
  })
  throw new UsageError(problems.join('; '))
}
