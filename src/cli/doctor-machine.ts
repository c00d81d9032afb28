// What `doctor` looks at whatever the backend: Node, the addon, processors and limits.
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { native } from '../native.js'
import { type Check, failed } from './doctor-check.js'

/** package.json, `engines`. */
const NODE_OLDEST = [20, 19] as const
/** A connection takes about six descriptors at each end. */
const FILES_ENOUGH = 8192

export function nodeCheck(version: string = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = NODE_OLDEST
  const fits = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
  const text = `${version} on ${process.platform}-${process.arch}`
  if (fits) return { name: 'node', state: 'ok', text }
  return { name: 'node', state: 'fail', text, fix: `install Node ${NODE_OLDEST.join('.')} or newer` }
}

export function addonCheck(): Check {
  try {
    native()
  } catch (error) {
    return failed('addon', error)
  }
  // What is mapped is what runs, wherever it was looked for (proc(5), maps: the path is the last field).
  const [, path = 'an unknown file'] = /(\/.*conduit[^/]*\.node)$/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? []
  return { name: 'addon', state: 'ok', text: `loaded from ${path}` }
}

export function memoryCheck(): Check {
  const bytes = 4096
  const fd = native().memfdCreate('conduit-doctor', bytes)
  try {
    const sealed = native().sealedBytes(fd)
    if (sealed === bytes) return { name: 'shared memory', state: 'ok', text: 'memfd_create with seals works' }
    return { name: 'shared memory', state: 'fail', text: `a sealed memfd has ${sealed} bytes instead of ${bytes}` }
  } finally {
    native().closeFd(fd)
  }
}

export function processorCheck(processors: number = availableParallelism()): Check {
  if (processors > 1) return { name: 'processors', state: 'ok', text: `${processors}: ends may spin before they sleep` }
  return {
    name: 'processors',
    state: 'warn',
    text: '1: spinning would only keep the peer from running, so every wait is a sleep',
    fix: 'give this machine a second processor, if round trips matter',
  }
}

/** `limits` in the form of /proc/self/limits (proc(5)). */
export function filesCheck(limits: string = readFileSync('/proc/self/limits', 'utf8')): Check {
  const [, soft = ''] = /^Max open files\s+(\S+)/m.exec(limits) ?? []
  const files = soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft || Number.NaN)
  if (files >= FILES_ENOUGH) return { name: 'open files', state: 'ok', text: `${soft} allowed` }
  const text = Number.isNaN(files) ? 'the limit cannot be read' : `${soft} allowed: enough for few connections at once`
  return { name: 'open files', state: 'warn', text, fix: `ulimit -n ${FILES_ENOUGH}, or LimitNOFILE= of the service` }
}
