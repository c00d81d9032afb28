// Numbers of bytes that a program asks for.

/** @throws TypeError when it is no number; RangeError when it is no whole number of bytes */
export function checkBytes(what: string, value: unknown): void {
  if (value === undefined) return
  if (typeof value !== 'number') throw new TypeError(`${what} is a number of bytes, not ${typeof value}`)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${what} is a whole number of bytes, not ${value}`)
}
