// scribbling-peer-suite.ts in full: for CONDUIT_SCRIBBLE_SECONDS in each role, ten minutes by default.
import { scribblingPeer } from '../integration/scribbling-peer-suite.js'

const MILLISECONDS = 1000 * Number(process.env.CONDUIT_SCRIBBLE_SECONDS ?? 600)

describe('a peer that scribbles on the control page, in full', () => {
  let until: number
  beforeEach(() => {
    until = Date.now() + MILLISECONDS
  })
  scribblingPeer(() => Date.now() < until)
})
