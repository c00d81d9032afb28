// Reads the payloads of replies, trusting none: what is not as the protocol says ends the connection.
import { type Permission, parsePermission } from '../../protocol/xenstore-permissions.js'
import { decodeStrings, parseXenstoreU32 } from '../../protocol/xenstore-wire.js'
import type { RequestChannel } from './request-channel.js'

/** NUL-terminated strings, at least `atLeast` of them. @throws ConduitError XENSTORE_PROTOCOL */
export function replyStrings(channel: RequestChannel, payload: Buffer, atLeast = 0): string[] {
  const { strings, rest } = decodeStrings(payload)
  if (rest.length > 0 || strings.length < atLeast) throw channel.breakOff('a list that is not one')
  return strings
}

/** A decimal number. @throws ConduitError XENSTORE_PROTOCOL */
export function replyNumber(channel: RequestChannel, payload: Buffer): number {
  const number = parseXenstoreU32(replyStrings(channel, payload, 1)[0])
  if (number === undefined) throw channel.breakOff('a number that is not one')
  return number
}

const PERMISSION = /^[nrwb][0-9]{1,5}$/

/** Entries for reserved domids, such as Xen's "any domain", are left out. @throws ConduitError XENSTORE_PROTOCOL */
export function replyPermissions(channel: RequestChannel, payload: Buffer): Permission[] {
  const permissions: Permission[] = []
  for (const text of replyStrings(channel, payload, 1)) {
    if (!PERMISSION.test(text)) throw channel.breakOff('a permission that is not one')
    const permission = parsePermission(text)
    if (permission !== undefined) permissions.push(permission)
  }
  return permissions
}
