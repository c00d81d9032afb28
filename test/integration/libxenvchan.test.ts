// The short form of libxenvchan-suite.ts.

import { libxenvchanOrSkip } from '../support/libxenvchan-or-skip.js'
import { LibxenvchanWorld } from '../support/libxenvchan-world.js'
import { libxenvchanInterop } from './libxenvchan-suite.js'

describe("Debian's libxenvchan and the SDK", () => {
  libxenvchanInterop({ bytes: 2 << 20, oneByteWrites: 20_000, races: 12 }, async (context) =>
    LibxenvchanWorld.start(libxenvchanOrSkip(context)),
  )
})
