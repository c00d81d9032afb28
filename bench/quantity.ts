// Numbers as people read them: three digits and the unit that fits.

const STEPS: readonly [number, string][] = [
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
]

/** `1.23`, `12.3`, `123`, `1234`: three digits where there are fewer than four before the point. */
export function threeDigits(value: number): string {
  const digits = value === 0 ? 1 : Math.floor(Math.log10(Math.abs(value))) + 1
  return value.toFixed(Math.min(3, Math.max(0, 3 - Math.max(1, digits))))
}

/** `1.23 GB/s` for 1.23e9 and `B/s`. */
export function scaled(value: number, unit: string): string {
  const step = STEPS.find(([size]) => Math.abs(value) >= size)
  return step === undefined ? `${threeDigits(value)} ${unit}` : `${threeDigits(value / step[0])} ${step[1]}${unit}`
}

/** `850 ns`, `12.3 µs`, `4.56 ms`. */
export function duration(micros: number): string {
  if (micros < 1) return `${threeDigits(micros * 1000)} ns`
  return micros < 1000 ? `${threeDigits(micros)} µs` : `${threeDigits(micros / 1000)} ms`
}

/** `64 B`, `4 KiB`, `1 MiB`; other sizes with three digits. */
export function bytes(count: number): string {
  if (Math.abs(count) < 1024) return `${threeDigits(count).replace(/\.0+$/, '')} B`
  const [size, unit] = Math.abs(count) < 1 << 20 ? [1 << 10, 'KiB'] : [1 << 20, 'MiB']
  return `${count % size === 0 ? count / size : threeDigits(count / size)} ${unit}`
}
