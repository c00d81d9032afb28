// The short form of libxenvchan-suite.ts.
import { libxenvchanInterop } from './libxenvchan-suite.js'

describe("Debian's libxenvchan and the SDK", () => {
  libxenvchanInterop({ bytes: 2 << 20, oneByteWrites: 20_000, races: 12 })
})
