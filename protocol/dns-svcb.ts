// RDATA of SVCB and HTTPS (RFC 9460 2.2): priority, target, and parameters in ascending order of their keys.
import { readName } from './dns-name.js'
import type { DnsWriter } from './dns-writer.js'

export interface SvcbData {
  /** 0 is AliasMode. */
  readonly priority: number
  /** `.` is the owner itself. */
  readonly target: string
  readonly params: ReadonlyMap<number, Buffer>
}

/** What lies between `at` and `end` of the message, or undefined. */
export function readSvcb(message: Buffer, at: number, end: number): SvcbData | undefined {
  if (at + 2 > end) return undefined
  const target = readName(message, at + 2)
  if (target === undefined || target.end > end) return undefined
  const params = readParams(message, target.end, end)
  return params && { priority: message.readUInt16BE(at), target: target.name, params }
}

/** Whoever breaks the order or repeats a key is malformed: the whole record is worth nothing (RFC 9460 2.2). */
function readParams(message: Buffer, at: number, end: number): Map<number, Buffer> | undefined {
  const params = new Map<number, Buffer>()
  let last = -1
  while (at < end) {
    if (at + 4 > end) return undefined
    const key = message.readUInt16BE(at)
    const next = at + 4 + message.readUInt16BE(at + 2)
    if (key <= last || next > end) return undefined
    // A copy: the message's buffer belongs to whoever received it.
    params.set(key, Buffer.from(message.subarray(at + 4, next)))
    last = key
    at = next
  }
  return params
}

export function writeSvcb(writer: DnsWriter, data: SvcbData): void {
  writer.u16(data.priority)
  // Never compressed (RFC 9460 2.2).
  writer.plainName(data.target)
  for (const [key, value] of [...data.params].sort(([a], [b]) => a - b)) {
    writer.u16(key)
    writer.u16(value.length)
    writer.bytes(value)
  }
}
