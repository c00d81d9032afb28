// What `conduit-cat [-l] NAME` was asked for, parsed and checked.

export interface CatOptions {
  /** The address in its canonical spelling. */
  readonly address: string
  readonly listen: boolean
  /** Take one connection after the other, or all at once with a command. */
  readonly keep: boolean
  readonly command: string | undefined
  readonly waitMs: number | undefined
  readonly handshakeOnly: boolean
  /** Wait for the name to appear. */
  readonly waitForName: boolean
  readonly ringBytes: number | undefined
  readonly spinMicros: number | undefined
  readonly meter: boolean
  readonly json: boolean
  readonly verbose: boolean
}
