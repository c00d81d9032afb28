// IP addresses: text and bytes. IPv6 is spelt as RFC 5952 recommends. No zones, no prefixes.

/** 4 or 16 bytes, or undefined when `text` is no address. */
export const ipBytes = (text: string): Uint8Array | undefined =>
  text.includes(':') ? ipv6Bytes(text) : ipv4Bytes(text)

function ipv4Bytes(text: string): Uint8Array | undefined {
  const parts = text.split('.')
  // No leading zeros: some readers take them for octal.
  if (parts.length !== 4 || parts.some((part) => !/^(?:0|[1-9][0-9]{0,2})$/.test(part))) return undefined
  const numbers = parts.map(Number)
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined
}

function ipv6Bytes(text: string): Uint8Array | undefined {
  const dotted = /^(.*:)([0-9.]+\.[0-9.]+)$/.exec(text)
  const tail = dotted && ipv4Bytes(dotted[2]!)
  if (dotted !== null && tail == null) return undefined
  const hex = (value: number): string => value.toString(16)
  const plain =
    dotted === null ? text : `${dotted[1]}${hex((tail![0]! << 8) | tail![1]!)}:${hex((tail![2]! << 8) | tail![3]!)}`
  const halves = plain.split('::')
  if (halves.length > 2) return undefined
  const [head, rest] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const groups =
    rest === undefined
      ? head!
      : [...head!, ...Array<string>(Math.max(0, 8 - head!.length - rest.length)).fill('0'), ...rest]
  // `::` stands for one group at least (RFC 4291 2.2).
  if (groups.length !== 8 || (rest !== undefined && head!.length + rest.length > 7)) return undefined
  if (groups.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  )
}

/** @throws RangeError without 16 bytes */
export function formatIpv6(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new RangeError(`an IPv6 address has 16 bytes, not ${bytes.length}`)
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
  const gap = longestZeros(groups)
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return gap === undefined ? hex(0, 8) : `${hex(0, gap.from)}::${hex(gap.to, 8)}`
}

/** The first longest run of two zeros or more (RFC 5952 4.2). */
function longestZeros(groups: readonly number[]): { from: number; to: number } | undefined {
  let best: { from: number; to: number } | undefined
  for (let from = 0; from < groups.length; from++) {
    let to = from
    while (groups[to] === 0) to++
    if (to - from >= 2 && to - from > (best === undefined ? 0 : best.to - best.from)) best = { from, to }
  }
  return best
}

/** The name that a PTR of the address is at (RFC 1035 3.5, RFC 3596 2.5), or undefined when `text` is no address. */
export function reverseName(text: string): string | undefined {
  const bytes = ipBytes(text)
  if (bytes === undefined) return undefined
  if (bytes.length === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`
  const nibbles = [...bytes].reverse().flatMap((byte) => [byte & 15, byte >> 4])
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`
}
