// What the domain builder is asked and answers, a line of JSON each (addon/domain-builder/requests.c): the types, and the errors.
import type { Domid } from '../../../protocol/xen.js'
import { isDomid } from '../../../protocol/xen.js'
import { ConduitError } from '../../errors.js'

/** Names one domain for ever: domids are given again. */
export interface DomainIdentity {
  readonly domid: Domid
  readonly uuid: string
}

export interface BuildRequest {
  readonly kernel: string
  readonly ramdisk?: string | undefined
  readonly name: string
  readonly type: 'pv' | 'pvh'
  readonly memoryKiB: number
  readonly vcpus: number
  readonly cmdline: string
  readonly provisioned?: { readonly peer: 0; readonly path: string; readonly gref: number } | undefined
}

/** A domain as Xen lists it. */
export interface DomainState extends DomainIdentity {
  /** KiB. */
  readonly memoryKiB: number
  /** It has never run where this is 0. */
  readonly cpuNanos: number
  readonly paused?: boolean
  readonly dying?: boolean
  /** Why it has ended itself, and waits to be destroyed. */
  readonly shutdown?: string
}

/** In an answer's `error`. */
export interface BuilderFailure {
  readonly step: string
  readonly code: string
  readonly errno: string
  readonly message: string
}

const HINTS: Partial<Record<string, string>> = {
  NAME_TAKEN: 'xl destroy it, or rename the service',
  NOT_A_KERNEL: 'launcher.kernel is an ELF image with notes for Xen, as npm run build:unikernel makes one, or a Linux',
  NO_MEMORY: 'xl info | grep free_memory tells what is left (MiB): lower launcher.memory, or dom0 may have too much',
  STORE: 'see whether xenstored runs, and its quotas',
}

/** @param what was tried, such as `www cannot be built` */
export function builderError(what: string, { step, code, errno, message }: BuilderFailure): ConduitError {
  return new ConduitError('LAUNCHER', `${what} (${step}): ${message}`, { errno, syscall: step, hint: HINTS[code] })
}

/** Undefined when it names no domain. */
export function parseIdentity(value: unknown): DomainIdentity | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { domid, uuid } = value as Partial<Record<keyof DomainIdentity, unknown>>
  const known = typeof domid === 'number' && isDomid(domid) && domid > 0
  return known && typeof uuid === 'string' && /^[0-9a-f-]{36}$/.test(uuid) ? { domid: domid as Domid, uuid } : undefined
}
