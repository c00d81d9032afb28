// Values by the end of a host name: the longest suffix wins, and only whole labels count, so that `xen` is no suffix of
// `foo.xenon`. `example.org` covers itself and what is below it, `.example.org` only what is below, `` everything.

export interface SuffixMatch<Value> {
  readonly suffix: string
  readonly value: Value
}

export class SuffixTable<Value> {
  readonly #values = new Map<string, Value>()

  set(suffix: string, value: Value): void {
    this.#values.set(suffix.toLowerCase(), value)
  }

  /** `host` in lower case, without a dot at its end. */
  longestMatch(host: string): SuffixMatch<Value> | undefined {
    for (const suffix of suffixesOf(host)) {
      const value = this.#values.get(suffix)
      if (value !== undefined) return { suffix, value }
    }
    return undefined
  }
}

/** The longest first: of two that cover the same names here, the one with the dot says more. */
function* suffixesOf(host: string): Generator<string> {
  yield host
  for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
    yield host.slice(dot)
    yield host.slice(dot + 1)
  }
  yield ''
}
