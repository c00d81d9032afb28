// What a stream has been told to write and found no space in the ring yet: chunks in order, and whom to tell then.

type Callback = (error?: Error | null) => void

/** Whither bytes go; a channel is one. */
interface Sink {
  writeFrom(source: Uint8Array, start: number, end: number): number
}

export class ParkedWrites {
  readonly callback: Callback
  readonly #chunks: readonly Uint8Array[]
  #index = 0
  #offset: number

  /** `offset`: bytes of the first chunk that are in the ring already. */
  constructor(chunks: readonly Uint8Array[], callback: Callback, offset = 0) {
    this.#chunks = chunks
    this.callback = callback
    this.#offset = offset
  }

  /** Move on what fits: true when all of it is in the ring. Throws as the channel's write does. */
  flush(sink: Sink): boolean {
    for (; this.#index < this.#chunks.length; this.#index++, this.#offset = 0) {
      const chunk = this.#chunks[this.#index]!
      this.#offset += sink.writeFrom(chunk, this.#offset, chunk.length)
      if (this.#offset < chunk.length) return false
    }
    return true
  }
}
