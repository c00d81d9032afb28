// How a request fails inside the store: the error name that goes on the wire, and nothing else.
import type { XenstoreErrorName } from '../../../protocol/xenstore-wire.js'

/** Thrown by a request's handler; becomes an ERROR message to the one who asked. */
export class StoreFault extends Error {
  override readonly name = 'StoreFault'
  readonly errorName: XenstoreErrorName

  constructor(errorName: XenstoreErrorName) {
    super(errorName)
    this.errorName = errorName
  }
}
