// Messages that came and were not fetched yet, oldest first, with the bytes they hold on to.

/** Taken entries that may lie in front before the array is cut. */
const SLACK = 1024

export class MessageQueue {
  #messages: Buffer[] = []
  #head = 0
  #bytes = 0

  get length(): number {
    return this.#messages.length - this.#head
  }

  /** Bytes held; an empty message counts as one, so that a flood of them is bounded too. */
  get bytes(): number {
    return this.#bytes
  }

  pushAll(batch: readonly Buffer[]): void {
    for (const message of batch) {
      this.#messages.push(message)
      this.#bytes += message.length + 1
    }
  }

  shift(): Buffer | undefined {
    if (this.length === 0) return undefined
    const message = this.#messages[this.#head]!
    // Let go of it: the slot stays for a while.
    this.#messages[this.#head++] = EMPTY
    this.#bytes -= message.length + 1
    if (this.#head >= SLACK) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
    return message
  }

  takeAll(): Buffer[] {
    const all = this.#head === 0 ? this.#messages : this.#messages.slice(this.#head)
    this.#messages = []
    this.#head = 0
    this.#bytes = 0
    return all
  }
}

const EMPTY = Buffer.alloc(0)
