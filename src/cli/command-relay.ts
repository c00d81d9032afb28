// A relay whose local end is a command. As with inetd, where standard input and output are one socket, the connection ends
// when the command has let go of both: only then is it known whether it took everything that the peer sent.
import type { Duplex, Readable } from 'node:stream'
import type { ConduitSocket } from '../index.js'
import { peerHasGone, Relay, type RelayOptions } from './relay.js'

/** A command's standard streams, from outside. */
export interface CommandStreams {
  readonly stdout: Readable
  /** Its readable side ends when the command has closed its stdin, and fails with ECONNRESET when it left bytes unread. */
  readonly stdin: Duplex
}

/**
 * Resolves when the connection has ended, whether or not the command took everything: if not, the peer was told.
 * @throws ConduitError ECONNRESET, EPIPE, ETIMEDOUT, VCHAN_CORRUPT, SYSTEM; the signal's reason
 */
export function relayCommand(socket: ConduitSocket, streams: CommandStreams, options: RelayOptions): Promise<void> {
  return new CommandRelay(socket, streams, options).run()
}

class CommandRelay extends Relay {
  readonly #stdin: Duplex
  #stdoutEnded = false
  #leftBytes = false
  #leaving = false

  constructor(socket: ConduitSocket, { stdout, stdin }: CommandStreams, options: RelayOptions) {
    super(socket, { input: stdout, output: stdin }, options)
    this.#stdin = stdin
  }

  protected override listen(): void {
    super.listen()
    this.on(this.#stdin, 'end', () => this.#stdinClosed())
    // What a command writes to its stdin goes nowhere.
    this.#stdin.resume()
  }

  protected override inputEnded(): void {
    this.#stdoutEnded = true
    this.#leave()
  }

  protected override outputFailed(error: unknown, closed: boolean): void {
    if (!closed) {
      super.outputFailed(error, closed)
      return
    }
    this.#leftBytes = true
    this.#stdinClosed()
  }

  #stdinClosed(): void {
    this.outputGone = true
    this.delivery.stop()
    this.#leave()
    if (this.#leaving || this.socket.readableEnded) return
    // Nobody reads on to how the peer went: a command that goes on writing must not go on for ever.
    this.onPeerGone(() => {
      if (!this.#leaving) this.fail(peerHasGone(this.socket))
    })
  }

  #leave(): void {
    const { socket } = this
    if (!this.#stdoutEnded || !this.outputGone || this.#leaving || socket.destroyed) return
    this.#leaving = true
    const unread = socket.readableLength > 0 || (socket.channel?.dataReady ?? 0) > 0
    // Order matters: what the command wrote goes first. Closed without an end, it reaches the peer and a reset follows.
    if (this.#leftBytes || unread) socket.write('', () => socket.destroy())
    else socket.end(() => socket.destroy())
  }
}
