// How a client asks jitsud to boot the service behind a name: one message to the conduit name `jitsud`, one message back.
import { parseName } from './conduit-name.js'

/** Under which jitsud listens: a reserved word. */
export const JITSUD_NAME = 'jitsud'
/** Longest message either way, in bytes. */
export const SUMMON_BYTES = 1024
const REASON_CHARS = 400

/** What became of it: codes are those of src/errors.ts that a boot can fail with. */
export type SummonReply =
  | { readonly kind: 'ready' }
  /** jitsud knows no such service. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'failed'; readonly code: SummonFailure; readonly reason: string }

export type SummonFailure = 'BOOT_FAILED' | 'BOOT_TIMEOUT'

export const formatSummon = (name: string): string => `summon ${name}`

/** The name that is asked for, or undefined. */
export function parseSummon(text: string): string | undefined {
  const name = /^summon ([a-z0-9_-]{1,63})$/.exec(text)?.[1]
  return name !== undefined && parseName(name) === name ? name : undefined
}

export const formatSummonReply = (reply: SummonReply): string =>
  reply.kind === 'failed' ? `failed ${reply.code} ${printable(reply.reason)}` : reply.kind

/** The reply that `text` spells, or undefined. */
export function parseSummonReply(text: string): SummonReply | undefined {
  if (text === 'ready' || text === 'unknown') return { kind: text }
  const [, code, reason] = /^failed (BOOT_FAILED|BOOT_TIMEOUT) (.*)$/.exec(text) ?? []
  return code === undefined || reason === undefined
    ? undefined
    : { kind: 'failed', code: code as SummonFailure, reason: printable(reason) }
}

/** It goes to a terminal at the other end. */
const printable = (text: string): string => text.replace(/[^ -~]/g, '?').slice(0, REASON_CHARS)
