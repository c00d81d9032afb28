// Amounts as people read them: bytes and rates in powers of 1,024, times in the unit that fits.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `3 B`, `1.50 KiB`, `256 MiB`: three digits or more, never more than two decimals. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1023.5 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : digits(value)} ${UNITS[unit]}`
}

/** `4.10 GiB/s` */
export const formatRate = (bytes: number, seconds: number): string =>
  `${formatBytes(seconds > 0 ? bytes / seconds : 0)}/s`

/** `850 µs`, `12.3 ms`, `4.05 s` */
export function formatMillis(millis: number): string {
  if (millis < 1) return `${Math.round(millis * 1000)} µs`
  return millis < 1000 ? `${digits(millis)} ms` : `${digits(millis / 1000)} s`
}

function digits(value: number): string {
  const decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return value.toFixed(decimals).replace(/\.0+$/, '')
}
