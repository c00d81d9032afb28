// libxenvchan-suite.ts in full: 64 MiB each way in every combination.
import { libxenvchanInterop } from '../integration/libxenvchan-suite.js'
import { libxenvchanOrSkip } from '../support/libxenvchan-or-skip.js'
import { LibxenvchanWorld } from '../support/libxenvchan-world.js'

describe("Debian's libxenvchan and the SDK, in full", () => {
  libxenvchanInterop({ bytes: 64 << 20, oneByteWrites: 1_000_000, races: 500 }, async (context) =>
    LibxenvchanWorld.start(libxenvchanOrSkip(context)),
  )
})
