// How tests in the machine report to this side: JSON text sequences (RFC 7464), which stay legible among whatever else a
// test prints on the same stream.

/** One test, or a hook that failed, or the regular end of a run. */
export type TestRecord =
  | { readonly event: 'begin'; readonly path: readonly string[] }
  | { readonly event: 'pass'; readonly path: readonly string[]; readonly milliseconds: number }
  | { readonly event: 'pending'; readonly path: readonly string[] }
  | { readonly event: 'fail'; readonly path: readonly string[]; readonly message: string; readonly stack: string }
  | { readonly event: 'end'; readonly tests: number }

const RECORD_SEPARATOR = '\x1e'
const KINDS = new Set(['begin', 'pass', 'pending', 'fail', 'end'])

export function formatRecord(record: TestRecord): string {
  return `${RECORD_SEPARATOR}${JSON.stringify(record)}\n`
}

/** Tells records from the rest of a stream. */
export class RecordReader {
  readonly #onRecord: (record: TestRecord) => void
  readonly #onText: (text: string) => void
  readonly #decoder = new TextDecoder()
  #held = ''

  constructor(onRecord: (record: TestRecord) => void, onText: (text: string) => void) {
    this.#onRecord = onRecord
    this.#onText = onText
  }

  /** The next piece, cut anywhere. */
  piece(bytes: Uint8Array): void {
    this.#held += this.#decoder.decode(bytes, { stream: true })
    for (;;) {
      const start = this.#held.indexOf(RECORD_SEPARATOR)
      const text = start < 0 ? this.#held : this.#held.slice(0, start)
      if (text !== '') this.#onText(text)
      this.#held = this.#held.slice(text.length)
      const end = this.#held.indexOf('\n')
      if (end < 0) return
      const line = this.#held.slice(1, end)
      this.#held = this.#held.slice(end + 1)
      this.#line(line)
    }
  }

  #line(line: string): void {
    const record = parse(line)
    if (record === undefined) this.#onText(`${line}\n`)
    else this.#onRecord(record)
  }
}

/** The other end is our own reporter; what a crash cuts off, or prints in between, is none of its records. */
function parse(line: string): TestRecord | undefined {
  try {
    const value = JSON.parse(line) as TestRecord
    if (!KINDS.has(value.event)) return undefined
    return value.event === 'end' || Array.isArray(value.path) ? value : undefined
  } catch {
    return undefined
  }
}
