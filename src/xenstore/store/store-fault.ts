// How a request fails inside the store: the error name that goes on the wire, and nothing else.
import type { XenstoreErrorName } from '../../../protocol/xenstore-wire.js'

/**
 * Thrown by a request's handler; becomes an ERROR message to the one who asked and goes no further. No Error: guests
 * cause them at will, and taking a stack each time would cost more than the request.
 */
export class StoreFault {
  readonly errorName: XenstoreErrorName

  constructor(errorName: XenstoreErrorName) {
    this.errorName = errorName
  }
}
