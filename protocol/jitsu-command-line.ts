// Jitsu's own command line (mirage/jitsu 0.3, src/jitsu.ml) as a configuration of jitsud, so that its users can move over. What
// jitsud cannot do the same way is refused with what to write instead: docs/launchers.md has the list.
import { posix } from 'node:path'
import type { ConfigFault } from './config-faults.js'
import { type ParsedJitsudConfig, parseJitsudConfig } from './jitsud-config.js'

/** What Jitsu finds out about its machine by itself. */
export interface JitsuMachine {
  /** For relative paths. */
  readonly cwd: string
  /** Of /etc/resolv.conf: asked for other names where `-f` is not given. */
  readonly nameservers: readonly string[]
}

/** Each option by its letter, with its long name (cmdliner). */
const LONG: Readonly<Record<string, string>> = {
  b: 'bind',
  l: 'listen',
  c: 'connect',
  f: 'forwarder',
  p: 'port',
  d: 'delay',
  t: 'ttl',
  m: 'mode',
  x: 'backend',
  synjitsu: 'synjitsu',
  persistdb: 'persistdb',
}
const NAMES = new Set(Object.values(LONG))
const INSTEAD: Readonly<Record<string, string>> = {
  synjitsu: 'no such option: "hold" of a service in a configuration file takes connections while it boots',
  persistdb: 'no such option: "stateFile" in a configuration file; the database of Jitsu is not read',
}
/** Keys of a machine: true for those that may be repeated. */
const KEYS: Readonly<Record<string, boolean>> = {
  dns: true,
  ip: false,
  name: false,
  uuid: false,
  response_delay: false,
  wait_for_key: false,
  use_synjitsu: false,
  kernel: false,
  memory: false,
  cmdline: false,
  nic: true,
  script: true,
  disk: true,
  rumprun_config: false,
}

type Options = Readonly<Record<string, string>>
type Keys = Readonly<Record<string, readonly string[]>>

/** The configuration that the arguments after `jitsu` mean. Never throws. */
export function parseJitsuCommandLine(args: readonly string[], machine: JitsuMachine): ParsedJitsudConfig {
  const faults: ConfigFault[] = []
  const complain = (path: string, problem: string, accepted: string): void =>
    void faults.push({ path, problem, accepted })
  const { options, machines } = split(args, complain)
  const services = machines.map((text) => serviceOf(keysOf(text, complain), options, machine, complain))
  if (services.length === 0) complain('', 'no machine is given', 'dns=NAME,ip=ADDRESS,name=NAME,… for each machine')
  const ttl = number(options.ttl ?? '60', '--ttl', complain)
  const host = options.bind ?? '127.0.0.1'
  const at = (address: string, port: string): string =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const upstream = options.forwarder === undefined ? machine.nameservers.map((server) => at(server, '53')) : []
  const given = options.forwarder === undefined || options.forwarder === '0.0.0.0' ? [] : [options.forwarder]
  const forward = [...upstream, ...given.map((server) => at(server, options.port ?? '53'))]
  if (faults.length > 0) return { ok: false, faults }
  return parseJitsudConfig({ dns: { listen: at(host, options.listen ?? '53'), ttl, forward }, services })
}

type Complain = (path: string, problem: string, accepted: string) => void

/** `-b ADDR`, `-bADDR`, `--bind ADDR`, `--bind=ADDR`; all else is a machine. */
function split(args: readonly string[], complain: Complain): { options: Options; machines: string[] } {
  const options: Record<string, string> = {}
  const machines: string[] = []
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const [, long, letter, attached] = /^(?:--([a-z]+)|-([a-z]))(?:=?(.+))?$/s.exec(arg) ?? []
    if (!arg.startsWith('-')) {
      machines.push(arg)
      continue
    }
    const name = long ?? LONG[letter ?? '']
    const value = attached ?? rest.shift()
    if (name === undefined || !NAMES.has(name)) complain(arg, 'there is no such option', `--${[...NAMES].join(', --')}`)
    else if (INSTEAD[name] !== undefined) complain(`--${name}`, 'is not supported', INSTEAD[name])
    else if (value === undefined) complain(`--${name}`, 'is missing its value', 'a value')
    else options[name] = value
  }
  return { options, machines }
}

function keysOf(text: string, complain: Complain): Keys {
  const keys: Record<string, string[]> = {}
  for (const part of text.split(',')) {
    const at = part.indexOf('=')
    const [key, value] = [part.slice(0, at), part.slice(at + 1)]
    if (at < 0 || !Object.hasOwn(KEYS, key)) {
      complain(part, 'there is no such key', `KEY=VALUE with the keys ${Object.keys(KEYS).join(', ')}`)
      continue
    }
    const values = keys[key] ?? []
    keys[key] = values
    if (values.length > 0 && KEYS[key] === false) complain(key, 'is given twice', 'one value')
    values.push(value)
  }
  return keys
}

function serviceOf(keys: Keys, options: Options, machine: JitsuMachine, complain: Complain): object {
  const [first] = keys.dns ?? []
  if (first === undefined) complain('dns', 'is missing', 'a DNS name, as dns=www.example.org')
  if (keys.ip === undefined) complain('ip', 'is missing', 'an IP address, as ip=192.0.2.1')
  const ttl = number(options.ttl ?? '60', '--ttl', complain)
  if (['true', '1'].includes(keys.use_synjitsu?.[0] ?? ''))
    complain('use_synjitsu', 'is not supported', INSTEAD.synjitsu!)
  return {
    name: keys.name?.[0] ?? first?.split('.')[0],
    dns: keys.dns ?? [],
    addresses: keys.ip ?? [],
    launcher: launcherOf(keys, options, machine, complain),
    ready: readyOf(keys, options, complain),
    // As Jitsu does: whoever has the answer in its cache may come that long.
    idleSeconds: 2 * ttl,
    stop: options.mode ?? 'destroy',
  }
}

/** After the key, not beside it: as Jitsu's documentation has it. */
function readyOf(keys: Keys, options: Options, complain: Complain): object {
  const [key] = keys.wait_for_key ?? []
  const own = keys.response_delay?.[0]
  const delaySeconds = number(own ?? (key === undefined ? (options.delay ?? '0.1') : '0'), 'response_delay', complain)
  const timeoutSeconds = 10 + delaySeconds
  return key === undefined
    ? { when: 'delay', delaySeconds, timeoutSeconds }
    : { when: 'key', key, delaySeconds, timeoutSeconds }
}

function launcherOf(keys: Keys, options: Options, machine: JitsuMachine, complain: Complain): object {
  const backend = options.backend ?? 'libvirt'
  if (backend === 'libvirt') {
    const domain = keys.uuid?.[0] ?? keys.name?.[0]
    return { kind: 'libvirt', uri: options.connect ?? 'xen:///', ...(domain === undefined ? {} : { domain }) }
  }
  if (backend !== 'libxl') {
    complain('--backend', `${JSON.stringify(backend)} is not supported`, 'libvirt or libxl')
    return { kind: 'libvirt' }
  }
  if (keys.rumprun_config !== undefined) {
    complain('rumprun_config', 'is not supported', 'the contents of that file, in cmdline')
  }
  const bridges = keys.nic ?? []
  return {
    kind: 'xl',
    kernel: posix.resolve(machine.cwd, keys.kernel?.[0] ?? ''),
    // Whatever Jitsu's README says of bytes: libxl is handed KiB.
    ...(keys.memory === undefined ? {} : { memory: `${keys.memory[0]}KiB` }),
    ...(keys.cmdline === undefined ? {} : { cmdline: keys.cmdline[0] }),
    vif: bridges.map((bridge, at) => {
      const script = keys.script?.[at] ?? keys.script?.[0]
      return script === undefined ? `bridge=${bridge}` : `bridge=${bridge},script=${script}`
    }),
    disk: (keys.disk ?? []).map((disk) => {
      const [path = '', device = ''] = disk.split('@')
      if (device === '')
        complain('disk', `${JSON.stringify(disk)} is not accepted`, 'PATH@DEVICE, as /root/www.img@xvda')
      return `${posix.resolve(machine.cwd, path)},raw,${device},rw`
    }),
  }
}

function number(text: string, path: string, complain: Complain): number {
  if (/^[0-9]{1,9}(\.[0-9]{1,9})?$/.test(text)) return Number(text)
  complain(path, `${JSON.stringify(text)} is not accepted`, 'seconds')
  return 0
}
