// libxenvchan-suite.ts in full: 64 MiB each way in every combination.
import { libxenvchanInterop } from '../integration/libxenvchan-suite.js'

describe("Debian's libxenvchan and the SDK, in full", () => {
  libxenvchanInterop({ bytes: 64 << 20, oneByteWrites: 1_000_000, races: 500 })
})
