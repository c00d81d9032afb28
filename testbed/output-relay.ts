// What a remote process prints, on to this process's stdout and stderr.
import type { RemoteProcess } from './remote-process.js'

type Write = (bytes: Uint8Array) => unknown

/** As it comes; or in whole lines, where two processes print at the same time. */
export class OutputRelay {
  readonly #write: Record<'stdout' | 'stderr', Write>
  readonly #wholeLines: boolean
  readonly #held = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] }

  constructor(wholeLines: boolean, write: Record<'stdout' | 'stderr', Write> = standardStreams) {
    this.#wholeLines = wholeLines
    this.#write = write
  }

  /** Every piece from now on. */
  attach(process: RemoteProcess): void {
    process.onOutput((bytes, stream) => this.piece(bytes, stream))
  }

  piece(bytes: Uint8Array, stream: 'stdout' | 'stderr'): void {
    const end = this.#wholeLines ? bytes.lastIndexOf(10) + 1 : bytes.length
    if (end > 0) {
      this.#write[stream](Buffer.concat([...this.#held[stream], bytes.subarray(0, end)]))
      this.#held[stream] = []
    }
    if (end < bytes.length) this.#held[stream].push(Buffer.from(bytes.subarray(end)))
  }

  /** A last line without an end. */
  flush(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#held[stream].length > 0) this.#write[stream](Buffer.concat(this.#held[stream]))
      this.#held[stream] = []
    }
  }
}

const standardStreams = {
  stdout: (bytes: Uint8Array) => process.stdout.write(bytes),
  stderr: (bytes: Uint8Array) => process.stderr.write(bytes),
}
